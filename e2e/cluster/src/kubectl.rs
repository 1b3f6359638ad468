//! kubectl of the same version as the cluster.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use crate::{run, tools};

/// kubectl as the user of one kubeconfig.
#[derive(Clone, Debug)]
pub struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
}

impl Kubectl {
    pub fn new(kubeconfig: &Path) -> Result<Self> {
        Ok(Self { program: tools::program("kubernetes", "kubectl")?, kubeconfig: kubeconfig.to_owned() })
    }

    /// Runs and returns standard output; a failure carries what kubectl said.
    pub fn run(&self, args: &[&str]) -> Result<String> {
        run::output(self.command().args(args))
    }

    /// Applies manifests (YAML or JSON) on the server's side.
    pub fn apply(&self, manifests: &str) -> Result<String> {
        let mut command = self.command();
        command.args([
            "apply",
            "--server-side",
            "--force-conflicts",
            "--field-manager=golden-cluster",
            "-f",
            "-",
        ]);
        run::output_with_input(&mut command, manifests.as_bytes())
    }

    /// Asks the apiserver whether it serves.
    pub fn ready(&self) -> Result<()> {
        self.run(&["--request-timeout=5s", "get", "--raw", "/readyz"]).map(drop)
    }

    /// Succeeds when the object's condition is true. `object` is what `kubectl
    /// get` takes, such as `--namespace=a deployment/b`.
    pub fn condition(&self, object: &str, condition: &str) -> Result<()> {
        let path = format!("jsonpath={{.status.conditions[?(@.type==\"{condition}\")].status}}");
        let mut args = vec!["--request-timeout=5s", "get", "-o", &path];
        args.extend(object.split(' '));
        let status = self.run(&args)?;
        ensure!(status == "True", "{object} is not {condition}");
        Ok(())
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--kubeconfig").arg(&self.kubeconfig);
        // A user's own kubectl preferences must not change what we see.
        command.env("KUBERC", "off");
        command
    }
}
