//! The official Python clients, in a folder of their own in Golden's cache; made once per content of its requirements.

use golden_cluster::paths;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const REQUIREMENTS: &str = include_str!("../sdk/requirements.txt");

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk")
}

/// An interpreter that has them. A machine that cannot have them fails the test.
pub(crate) fn interpreter() -> PathBuf {
    let tools = paths::tools().unwrap();
    std::fs::create_dir_all(&tools).unwrap();
    let name = format!("python-sdks-{}", &hex::encode(Sha256::digest(REQUIREMENTS))[..12]);
    // One test makes it, the others wait; also those of other processes.
    let lock = File::create(tools.join(format!("{name}.lock"))).unwrap();
    lock.lock().unwrap();
    let folder = tools.join(name);
    let (python, ready) = (folder.join("bin/python"), folder.join("ready"));
    if !ready.exists() {
        let _ = std::fs::remove_dir_all(&folder);
        let hint = "install python3 (3.10 or newer) with its venv module, and let pip reach PyPI";
        done(Command::new("/usr/bin/python3").args(["-m", "venv"]).arg(&folder), hint);
        let requirements = scripts().join("requirements.txt");
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
        done(Command::new(&python).args(pip).arg(requirements), hint);
        std::fs::write(ready, "").unwrap();
    }
    python
}

/// Runs one function of a script to its end.
pub(crate) fn run(python: &Path, script: &str, function: &str, environment: &[(&str, String)]) -> Output {
    let mut command = Command::new(python);
    command.arg(scripts().join(script)).arg(function).env_clear();
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    done(&mut command, "see the script")
}

fn done(command: &mut Command, hint: &str) -> Output {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?} does not start: {e}; {hint}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}; {hint}\n{said}", output.status);
    output
}
