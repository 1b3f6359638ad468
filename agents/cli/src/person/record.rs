//! `golden record`: export a task's record, and verify one offline.

use super::client::Connection;
use anyhow::Context as _;
use golden_record::Export;

/// The entry whose hash a delivered commit names in its trailer `Golden-Record`.
const APPROVED: &str = "Approved";

/// What to do with records.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum RecordCommand {
    /// Print the record of a task as lines of JSON.
    Export {
        #[command(flatten)]
        connection: Connection,
        /// Name of the AgentTask.
        name: String,
        /// Uid of the AgentTask, where an older one of that name is meant. Also reads tasks that were deleted.
        #[arg(long)]
        uid: Option<uuid::Uuid>,
    },
    /// Check an exported record: exit code 1 and the first entry that does not fit, if any.
    Verify(VerifyArgs),
}

/// What to check, and against what.
#[derive(Debug, clap::Args)]
pub(crate) struct VerifyArgs {
    /// The exported file.
    file: std::path::PathBuf,
    /// The head it must have: `status.record.head` of the AgentTask. A record that was cut or rewritten as a whole is
    /// sound in itself and has another head.
    #[arg(long, value_name = "sha256:…", value_parser = hash)]
    head: Option<String>,
    /// What the delivered commit says in its trailer Golden-Record: the hash of the entry in which the result was
    /// approved, which must be in the record.
    #[arg(long, value_name = "sha256:…", value_parser = hash)]
    trailer: Option<String>,
}

pub(crate) async fn run(command: RecordCommand) -> anyhow::Result<u8> {
    match command {
        RecordCommand::Export { connection, name, uid } => {
            let cluster = connection.connect().await?;
            let which = uid.map(|uid| format!("?uid={uid}")).unwrap_or_default();
            print!("{}", cluster.text(&format!("tasks/{name}/record{which}")).await?);
            Ok(0)
        }
        RecordCommand::Verify(args) => {
            let text = std::fs::read_to_string(&args.file)
                .with_context(|| format!("{} cannot be read", args.file.display()))?;
            let checked = golden_record::verify_export(&text).map_err(|fault| fault.to_string());
            match checked.and_then(|export| expected(&export, &args)) {
                Ok(words) => {
                    println!("{words}");
                    Ok(0)
                }
                Err(fault) => {
                    println!("{fault}");
                    Ok(1)
                }
            }
        }
    }
}

/// Whether a record that is sound in itself is the one that is meant.
fn expected(export: &Export, args: &VerifyArgs) -> Result<String, String> {
    let found = &export.head.head;
    if let Some(wanted) = args.head.as_ref().filter(|wanted| *wanted != found) {
        let hint = entry(export, wanted).map_or_else(String::new, |(seq, kind)| {
            format!("; that is the hash of its entry {seq} ({kind}), after which it goes on")
        });
        return Err(format!("the record's head is {found}, expected was {wanted}{hint}"));
    }
    let mut words = format!("the record is whole: {} entries, head {found}", export.head.entries);
    if let Some(trailer) = &args.trailer {
        match entry(export, trailer) {
            Some((seq, APPROVED)) => {
                words.push_str(&format!("; the commit rests on entry {seq} ({APPROVED})"));
            }
            Some((seq, kind)) => {
                return Err(format!(
                    "{trailer} is entry {seq} ({kind}) and no approval: no commit rests on it"
                ));
            }
            None => {
                return Err(format!("the record has no entry {trailer}: the commit rests on another record"));
            }
        }
    }
    Ok(words)
}

fn entry<'a>(export: &'a Export, hash: &str) -> Option<(u64, &'a str)> {
    export.entries.iter().find(|entry| entry.hash == hash).map(|entry| (entry.seq, entry.kind.as_str()))
}

fn hash(text: &str) -> Result<String, String> {
    let hex = text.trim().strip_prefix("sha256:").unwrap_or_default();
    if hex.len() == 64 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        Ok(text.trim().to_owned())
    } else {
        Err("a hash is written sha256: and 64 hexadecimal digits".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use golden_record::{Header, append, export, genesis, verify_export};
    use serde_json::json;
    use std::io::Write as _;

    /// A record of these kinds: its text and the entries' hashes.
    fn record(kinds: &[&str]) -> (String, Vec<String>) {
        let header = Header { v: 1, team: "t".into(), task: "k".into(), install: "i".into() };
        let (mut head, mut entries) = (genesis(&header), vec![]);
        for (seq, kind) in (1..).zip(kinds) {
            let made = append(&head, seq, "2026-01-01T00:00:00Z", kind, json!({"seq": seq})).unwrap();
            head.clone_from(&made.hash);
            entries.push(made);
        }
        let hashes = entries.iter().map(|e| e.hash.clone()).collect();
        (export(&header, &entries).unwrap(), hashes)
    }

    async fn exit(text: &str, head: Option<&str>, trailer: Option<&str>) -> u8 {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let (head, trailer) = (head.map(str::to_owned), trailer.map(str::to_owned));
        let args = VerifyArgs { file: file.path().to_owned(), head, trailer };
        run(RecordCommand::Verify(args)).await.unwrap()
    }

    #[tokio::test]
    async fn another_head_than_the_expected_one_is_exit_code_1() {
        let (text, hashes) = record(&["Admitted", "Approved", "Ended"]);
        assert_eq!(exit(&text, None, None).await, 0);
        assert_eq!(exit(&text, Some(&hashes[2]), None).await, 0);
        assert_eq!(exit(&text, Some(&hashes[1]), None).await, 1, "an earlier entry is not the head");
        let (cut, _) = record(&["Admitted", "Approved"]);
        assert_eq!(exit(&cut, None, None).await, 0, "a cut record is sound in itself");
        assert_eq!(exit(&cut, Some(&hashes[2]), None).await, 1);
        assert_eq!(exit(&text.replace("\"seq\":2", "\"seq\":9"), Some(&hashes[2]), None).await, 1);
    }

    #[tokio::test]
    async fn a_commits_trailer_must_be_the_approval_in_the_record() {
        let (text, hashes) = record(&["Admitted", "Approved", "Ended"]);
        assert_eq!(exit(&text, Some(&hashes[2]), Some(&hashes[1])).await, 0);
        assert_eq!(exit(&text, None, Some(&hashes[0])).await, 1, "an entry that approves nothing");
        let (_, others) = record(&["Admitted", "Reviewed", "Approved"]);
        assert_eq!(exit(&text, None, Some(&others[2])).await, 1, "the approval of another record");
    }

    #[test]
    fn faults_say_where_the_hash_is_and_what_a_hash_looks_like() {
        let (text, hashes) = record(&["Admitted", "Approved", "Ended"]);
        let export = verify_export(&text).unwrap();
        let args = VerifyArgs { file: "r".into(), head: Some(hashes[1].clone()), trailer: None };
        assert!(expected(&export, &args).unwrap_err().contains("entry 2 (Approved), after which it goes on"));
        assert!(hash(&hashes[0]).is_ok() && hash("sha256:0").is_err() && hash(&hashes[0][7..]).is_err());
    }
}
