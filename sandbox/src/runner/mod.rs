//! `golden runner …`: the programs of a run's pod.
//!
//! None of them may be started under a runtime with threads: a process with a second thread cannot enter a new user
//! namespace, and the runner holds untrusted code, so it does as little as possible beside that.

mod capture;
mod filter;
mod init;
mod inner;
mod install;
mod isolate;
mod measure;
mod monitor;
mod notes;
mod outputs;
mod prepare;
mod processes;
mod sandbox;
mod upload;

use std::process::ExitCode;

/// The programs of a run's pod.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Copies this binary into a folder, for images that do not have it.
    Install(install::Args),
    /// Installs, then lays out the workspace of a sandbox run.
    Prepare(prepare::Args),
    /// Runs a command in isolation and reports what came of it (pid 1 of a sandbox).
    Sandbox(sandbox::Args),
    /// Moves into the inner isolation. Started by `sandbox`.
    #[command(hide = true)]
    Inner(inner::Args),
    /// Starts the command, as the first process of the inner isolation. Started by `inner`.
    #[command(hide = true)]
    Init(init::Args),
    /// Hands outputs to the team's broker (a sidecar of a sandbox).
    Upload(upload::Args),
}

/// Runs one of the programs.
pub fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Install(args) => install::run(&args),
        Command::Prepare(args) => Ok(prepare::run(&args)),
        Command::Sandbox(args) => sandbox::run(&args),
        Command::Inner(args) => Ok(inner::run(&args)),
        Command::Init(args) => Ok(init::run(&args)),
        Command::Upload(args) => upload::run(&args),
    }
}

/// One thread is enough, and keeps the pod small.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}
