//! The command: `golden gateway --config FILE`.

use super::config::{Config, MAX_FILE};
use super::start::{LimitsHandle, Standalone};
use anyhow::{Context, anyhow, ensure};
use golden_platform::{shutdown, telemetry};
use std::path::{Path, PathBuf};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Serves until the process is told to stop. SIGHUP takes edited limits over.
pub(crate) async fn run(file: &Path) -> anyhow::Result<()> {
    let config = read(file)?;
    telemetry::init("gateway");
    let stop = shutdown::on_signals()?;
    let hangups = signal(SignalKind::hangup())?;
    let standalone = Standalone::start(config, stop).await?;
    print!("{}", standalone.welcome().await?);
    println!("Edited limits count after a restart or a SIGHUP; ctrl-c ends it and says what was spent.");
    tokio::spawn(take_edits(file.to_owned(), standalone.limits(), hangups));
    print!("{}", standalone.serve().await?);
    Ok(())
}

fn read(file: &Path) -> anyhow::Result<Config> {
    let shown = file.display();
    let size = std::fs::metadata(file).with_context(|| format!("{shown} cannot be read"))?.len();
    ensure!(size <= MAX_FILE as u64, "{shown} has more than {MAX_FILE} bytes");
    let text = std::fs::read_to_string(file).with_context(|| format!("{shown} cannot be read"))?;
    let environment = |name: &str| std::env::var(name).ok();
    Config::parse(&text, &environment).map_err(|faults| anyhow!("{shown} cannot be used:{faults}"))
}

/// A file that cannot be used changes nothing.
async fn take_edits(file: PathBuf, limits: LimitsHandle, mut hangups: Signal) {
    while hangups.recv().await.is_some() {
        let taken = match read(&file) {
            Ok(config) => limits.take(&config).await,
            Err(error) => Err(error),
        };
        match taken {
            Ok(said) => print!("{said}"),
            Err(error) => eprintln!("golden: the limits stay as they are: {error:#}"),
        }
    }
}
