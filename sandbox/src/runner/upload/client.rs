//! The runner's side of the upload: each output in turn, repeated while the broker is away, bounded in time.

use super::MAX_BYTES;
use crate::report::Kept;
use crate::runner::outputs::collect;
use crate::runner::sandbox::Args;
use bytes::Bytes;
use golden_crds::conditions::sandbox_run::{ARTIFACT_STORE_UNREACHABLE, OUTPUT_MISSING};
use golden_platform::tree::digest;
use golden_platform::wire::ArtifactStored;
use std::time::{Duration, Instant};

/// How long all uploads together may take: well within the pod's slack.
const PATIENCE: Duration = Duration::from_mins(2);

/// What was kept, and the first fault: its reason and words.
#[derive(Debug, Default)]
pub(crate) struct Uploaded {
    pub(crate) kept: Vec<Kept>,
    pub(crate) fault: Option<(&'static str, String)>,
}

/// Uploads the streams, then the outputs in the order of the spec.
pub(crate) fn upload(args: &Args, streams: impl Iterator<Item = (String, Vec<u8>)>) -> Uploaded {
    let mut done = Uploaded::default();
    let runtime = match crate::runner::runtime() {
        Ok(runtime) => runtime,
        Err(e) => {
            done.fault =
                Some((ARTIFACT_STORE_UNREACHABLE, format!("the outputs could not be uploaded: {e}")));
            return done;
        }
    };
    let until = Instant::now() + PATIENCE;
    for (of, bytes) in streams {
        runtime.block_on(keep(args, &mut done, of, bytes, until));
    }
    // Reading takes memory that is the run's: a share of its limit, and never more than the store takes.
    let most = (args.memory_bytes / 4).clamp(4 << 20, MAX_BYTES as u64);
    for (index, path) in args.output.iter().enumerate() {
        match collect(&args.workspace, path, most) {
            Ok(bytes) => runtime.block_on(keep(args, &mut done, index.to_string(), bytes, until)),
            Err(fault) => {
                done.fault.get_or_insert((OUTPUT_MISSING, fault.to_string()));
            }
        }
    }
    done
}

async fn keep(args: &Args, done: &mut Uploaded, of: String, bytes: Vec<u8>, until: Instant) {
    let wanted = digest(&bytes);
    match put(&args.uploader, bytes.into(), until).await {
        Ok(stored) if stored.digest == wanted => {
            done.kept.push(Kept { of, digest: stored.digest, bytes: stored.bytes });
        }
        Ok(stored) => {
            let words = format!("the store keeps {} as {}", wanted, stored.digest);
            done.fault.get_or_insert((ARTIFACT_STORE_UNREACHABLE, words));
        }
        Err(why) => {
            let words = format!("the outputs could not be uploaded: {why}");
            done.fault.get_or_insert((ARTIFACT_STORE_UNREACHABLE, words));
        }
    }
}

async fn put(uploader: &str, bytes: Bytes, until: Instant) -> Result<ArtifactStored, String> {
    let client = golden_platform::http::client().map_err(|e| e.to_string())?;
    let mut pause = Duration::from_millis(50);
    loop {
        let sent = client.put(format!("{uploader}/v1/artifacts")).body(bytes.clone()).send().await;
        let why = match sent {
            Ok(response) if response.status().is_success() => {
                return response.json().await.map_err(|e| e.to_string());
            }
            Ok(response) if response.status().is_client_error() => {
                return Err(response.text().await.unwrap_or_default());
            }
            Ok(response) => format!("the uploader answers {}", response.status()),
            Err(e) => format!("the uploader does not answer: {e}"),
        };
        if Instant::now() + pause > until {
            return Err(why);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(3));
    }
}
