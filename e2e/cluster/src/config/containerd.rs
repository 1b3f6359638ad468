//! containerd with two runtimes, and the pod network.

use std::path::Path;

use serde_json::json;

/// The bridge pods hang on; also how `down` finds it again.
pub(crate) const BRIDGE: &str = "golden0";
pub(crate) const POD_RANGE: &str = "10.244.0.0/16";

/// `root` holds images and outlives the cluster, `state` does not.
///
/// - `restrict_oom_score_adj`: where CAP_SYS_RESOURCE is missing, every sandbox
///   otherwise fails with "can't get final child's PID from pipe: EOF".
/// - Both runtimes must be declared or the CRI plugin does not load, which
///   kubelet reports as "unknown service runtime.v1.RuntimeService".
/// - The `opt` path defaults to a folder shared with other containerds.
/// - Network namespaces go under the state folder, so that they are ours to remove.
pub(crate) fn toml(root: &Path, state: &Path, sandbox_image: &str, cni: &Path, runsc: &Path) -> String {
    let (root, state, cni, runsc) = (root.display(), state.display(), cni.display(), runsc.display());
    format!(
        r#"version = 2
root = "{root}"
state = "{state}"
oom_score = 0

[grpc]
  address = "{state}/containerd.sock"

[plugins."io.containerd.internal.v1.opt"]
  path = "{root}/opt"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{sandbox_image}"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{cni}"

  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"

    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
        Root = "{state}/runc"

    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runsc]
      runtime_type = "io.containerd.runsc.v1"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runsc.options]
        TypeUrl = "io.containerd.runsc.v1.options"
        ConfigPath = "{runsc}"
"#
    )
}

/// gVisor's shim: `systrap` works everywhere, `kvm` hangs under nested virtualisation.
pub(crate) fn runsc_toml(runsc: &Path, root: &Path) -> String {
    format!(
        "binary_name = \"{}\"\nroot = \"{}\"\n\n[runsc_config]\nplatform = \"systrap\"\n",
        runsc.display(),
        root.display()
    )
}

/// A bridge with masquerading, and host ports.
pub(crate) fn cni(data: &Path) -> String {
    let list = json!({
        "cniVersion": "0.4.0",
        "name": "golden",
        "plugins": [
            {
                "type": "bridge",
                "bridge": BRIDGE,
                "isGateway": true,
                "ipMasq": true,
                "hairpinMode": true,
                "ipam": {
                    "type": "host-local",
                    "dataDir": data,
                    "ranges": [[{ "subnet": POD_RANGE }]],
                    "routes": [{ "dst": "0.0.0.0/0" }]
                }
            },
            { "type": "portmap", "capabilities": { "portMappings": true } }
        ]
    });
    format!("{list:#}\n")
}
