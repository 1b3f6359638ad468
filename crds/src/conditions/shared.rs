//! Reasons that several kinds use: faults of Secrets, stores, images, pods and nodes.

use super::reasons;

reasons! {
    /// A Secret that the spec names does not exist in its namespace. Create it; nothing else is needed.
    SECRET_NOT_FOUND = "SecretNotFound";
    /// The Secret lacks a key that is needed, or a value is empty or not UTF-8. The message names the key.
    SECRET_MALFORMED = "SecretMalformed";
    /// The Secret is not annotated with `goldenarch.dev/use` for this use. Its owner has to allow the use.
    SECRET_NOT_ANNOTATED = "SecretNotAnnotated";
    /// The Secret's annotation `goldenarch.dev/hosts` does not name the host it would be sent to.
    SECRET_HOST_NOT_ALLOWED = "SecretHostNotAllowed";
    /// Postgres does not answer. Work waits and goes on by itself when it is back.
    DATABASE_UNREACHABLE = "DatabaseUnreachable";
    /// NATS does not answer. Work waits and goes on by itself when it is back.
    MESSAGING_UNREACHABLE = "MessagingUnreachable";
    /// The artifact store does not answer. Work waits and goes on by itself when it is back.
    ARTIFACT_STORE_UNREACHABLE = "ArtifactStoreUnreachable";
    /// The ledger does not answer, so no call can be paid. Work waits and goes on by itself when it is back.
    LEDGER_UNREACHABLE = "LedgerUnreachable";
    /// The image cannot be pulled: wrong name, no access, or no registry. The message carries the node's error.
    IMAGE_PULL_FAILED = "ImagePullFailed";
    /// The RuntimeClass does not exist in the cluster. Install it, or let a GovernancePolicy name another.
    RUNTIME_CLASS_NOT_FOUND = "RuntimeClassNotFound";
    /// No node can take the pod: too little memory or CPU, taints, or selectors. The message is the scheduler's.
    POD_UNSCHEDULABLE = "PodUnschedulable";
    /// The node evicted the pod, for lack of memory or disk. A new try is made.
    POD_EVICTED = "PodEvicted";
    /// The node of the pod is gone or does not report. A new try is made.
    NODE_LOST = "NodeLost";
    /// A container could not be created or started. The message carries the node's error.
    CONTAINER_START_FAILED = "ContainerStartFailed";
    /// A quota, an admission policy or missing rights refused to create a child object. The message says which.
    CHILD_REFUSED = "ChildRefused";
    /// An object with the name a child needs belongs to somebody else. Delete or rename it.
    CHILD_NAME_TAKEN = "ChildNameTaken";
    /// The spec has a field that this version does not serve; nothing is done that would only look enforced.
    UNSERVED_FIELD = "UnservedField";
    /// The spec passed admission but cannot be used. The message names the field.
    INVALID_SPEC = "InvalidSpec";
    /// The object, or its namespace, is being deleted.
    DELETING = "Deleting";
    /// A defect of Golden. The message says where; please report it.
    INTERNAL_ERROR = "InternalError";
}
