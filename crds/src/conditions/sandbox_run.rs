//! Reasons of SandboxRun: of its conditions, and of `status.reason`, which says how the command ended.

use super::reasons;
pub use super::shared;
pub use super::shared::{
    ARTIFACT_STORE_UNREACHABLE, CHILD_NAME_TAKEN, CHILD_REFUSED, CONTAINER_START_FAILED, DELETING,
    INTERNAL_ERROR, INVALID_SPEC, NODE_LOST, POD_EVICTED, POD_UNSCHEDULABLE, UNSERVED_FIELD,
};

reasons! {
    // How the command ended
    /// The command ended with exit code 0.
    COMPLETED = "Completed";
    /// The command ended with another exit code. `status.exitCode` holds it.
    NON_ZERO_EXIT = "NonZeroExit";
    /// The command was ended by a signal. `status.exitCode` holds 128 and the signal's number added up.
    SIGNALLED = "Signalled";
    /// `spec.limits.timeoutSeconds` passed and the command was killed.
    TIMEOUT = "Timeout";
    /// The command used more than `spec.limits.memoryBytes` and was killed.
    OUT_OF_MEMORY = "OutOfMemory";
    /// The command wanted more processes than `spec.limits.pids`.
    TOO_MANY_PROCESSES = "TooManyProcesses";
    /// The command ended with exit code 0, but wrote more than is kept; the last bytes were kept.
    OUTPUT_TRUNCATED = "OutputTruncated";
    /// The command does not exist in the image, or cannot be executed.
    COMMAND_NOT_FOUND = "CommandNotFound";

    // Why it did not run: says nothing about what was to be judged
    /// The image cannot be pulled, or is none. The message carries the node's error.
    IMAGE_ERROR = "ImageError";
    /// The RuntimeClass does not exist or its runtime does not start. A run never gets less isolation than asked.
    ISOLATION_UNAVAILABLE = "IsolationUnavailable";
    /// The workspace's digest is not in the artifact store, or its content does not fit the digest.
    WORKSPACE_UNAVAILABLE = "WorkspaceUnavailable";
    /// `spec.workspace` holds entries that are not laid out (devices, links that leave the workspace).
    WORKSPACE_REFUSED = "WorkspaceRefused";
    /// A path of `spec.outputs` was not there after the command, or was too large to keep.
    OUTPUT_MISSING = "OutputMissing";

    // Where it stands
    /// The run waits for the sandbox's turn or for a node.
    PENDING = "Pending";
    /// The command is running, within its isolation and limits.
    RUNNING = "Running";
    /// The run was cancelled, since its task was.
    CANCELLED = "Cancelled";
}
