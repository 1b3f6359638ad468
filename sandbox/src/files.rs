//! Inline files on their way from the operator into a pod: one line of JSON with paths and lengths, then the contents
//! one after another, all in Base64, since Kubernetes expands `$(…)` in variables. Contents stay as they are: as JSON
//! strings, control characters would take six bytes each and the pod would outgrow etcd's bound.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use golden_crds::common::InlineFile;

/// Encodes files for the environment of the preparing container.
pub fn encode(files: &[InlineFile]) -> String {
    let header: Vec<(&str, usize)> = files.iter().map(|f| (f.path.as_str(), f.content.len())).collect();
    let mut bytes = serde_json::to_vec(&header).unwrap_or_default();
    bytes.push(b'\n');
    for file in files {
        bytes.extend_from_slice(file.content.as_bytes());
    }
    STANDARD.encode(bytes)
}

/// Reads them back; the chunks have been put together again.
pub fn decode(text: &str) -> Result<Vec<InlineFile>, FilesFault> {
    let bytes = STANDARD.decode(text)?;
    let end = bytes.iter().position(|b| *b == b'\n').ok_or(FilesFault::Short)?;
    let header: Vec<(String, usize)> = serde_json::from_slice(&bytes[..end])?;
    let mut rest = &bytes[end + 1..];
    let mut files = Vec::with_capacity(header.len());
    for (path, length) in header {
        let (content, tail) = rest.split_at_checked(length).ok_or(FilesFault::Short)?;
        files.push(InlineFile { path, content: String::from_utf8(content.to_vec())? });
        rest = tail;
    }
    Ok(files)
}

/// The variables did not hold what the operator wrote.
#[derive(Debug, thiserror::Error)]
pub enum FilesFault {
    /// Not Base64.
    #[error("inline files are not Base64: {0}")]
    Base64(#[from] base64::DecodeError),
    /// The header is not JSON.
    #[error("the list of inline files is not readable: {0}")]
    Header(#[from] serde_json::Error),
    /// Less bytes than the header says.
    #[error("inline files end too early")]
    Short,
    /// A content is not UTF-8.
    #[error("an inline file is not UTF-8: {0}")]
    Utf8(#[from] std::string::FromUtf8Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_back_as_they_were_and_stay_small() {
        let file = |path: &str, content: String| InlineFile { path: path.into(), content };
        let files = vec![
            file("a b/ü.py", "print('$(HOME)')\n".into()),
            file("empty", String::new()),
            file("big", "\u{1}".repeat(500_000)),
        ];
        let text = encode(&files);
        assert!(text.len() < 700_000 && !text.contains('$'));
        assert_eq!(decode(&text).unwrap(), files);
        assert!(matches!(decode(&text[..text.len() - 8]), Err(FilesFault::Short)));
    }
}
