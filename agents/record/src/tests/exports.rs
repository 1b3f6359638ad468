use super::support::{chain, file, head, header};
use crate::{ExportFault, Header, export, verify_export, verify_export_against};

#[test]
fn export_verifies_and_gives_the_record_back() {
    let read = verify_export_against(&file(), &head(&chain())).unwrap();
    assert_eq!((read.header, read.entries, read.head), (header(), chain(), head(&chain())));
    assert!(verify_export(&file()).is_ok());
    let empty = export(&header(), &[]).unwrap();
    assert_eq!(verify_export(&empty).unwrap().head.entries, 0);
}

#[test]
fn every_single_changed_byte_is_found() {
    let original = file();
    for (at, byte) in original.bytes().enumerate() {
        // One of another class each: letter case, digit, space, line break, quote, backslash, control.
        for other in [byte ^ 0x20, b'0', b'9', b' ', b'\n', b'"', b'\\', b'a', 1] {
            let mut bytes = original.clone().into_bytes();
            bytes[at] = other;
            if let Ok(text) = String::from_utf8(bytes)
                && text != original
            {
                assert!(verify_export(&text).is_err(), "byte {at} from {byte} to {other} was not found");
            }
        }
    }
}

#[test]
fn every_inserted_and_removed_byte_is_found() {
    let original = file();
    for at in 0..=original.len() {
        for inserted in [" ", "\n", "0", ",", "\t", "\u{feff}"] {
            if original.is_char_boundary(at) {
                let text = format!("{}{inserted}{}", &original[..at], &original[at..]);
                assert!(verify_export(&text).is_err(), "{inserted:?} at {at} was not found");
            }
        }
        if original.is_char_boundary(at) && original.is_char_boundary(at + 1) && at < original.len() {
            let text = format!("{}{}", &original[..at], &original[at + 1..]);
            assert!(verify_export(&text).is_err(), "removal at {at} was not found");
        }
    }
}

#[test]
fn every_cut_is_found() {
    let original = file();
    for at in (0..original.len()).filter(|at| original.is_char_boundary(*at)) {
        assert!(verify_export(&original[..at]).is_err(), "cut at {at} was not found");
    }
    let without_head = original.trim_end().rsplit_once('\n').unwrap().0;
    assert_eq!(verify_export(&format!("{without_head}\n")), Err(ExportFault::Cut));
}

#[test]
fn dropped_and_reordered_lines_are_found_and_named() {
    let original = file();
    let lines: Vec<&str> = original.lines().collect();
    let join = |lines: &[&str]| lines.iter().map(|l| format!("{l}\n")).collect::<Vec<_>>().concat();
    for at in 0..lines.len() {
        let mut dropped = lines.clone();
        dropped.remove(at);
        assert!(verify_export(&join(&dropped)).is_err(), "dropped line {at}");
        for other in at + 1..lines.len() {
            let mut swapped = lines.clone();
            swapped.swap(at, other);
            assert!(verify_export(&join(&swapped)).is_err(), "lines {at} and {other}");
        }
    }
    let mut dropped = lines.clone();
    dropped.remove(3);
    let ExportFault::Misfit(misfit) = verify_export(&join(&dropped)).unwrap_err() else { panic!() };
    assert_eq!(misfit.seq, 3);
}

#[test]
fn shortened_record_with_a_matching_head_is_found_by_the_head_in_the_status() {
    let shorter = export(&header(), &chain()[..3]).unwrap();
    assert!(verify_export(&shorter).is_ok());
    let fault = verify_export_against(&shorter, &head(&chain())).unwrap_err();
    assert!(matches!(fault, ExportFault::OtherHead { .. }), "{fault}");
}

#[test]
fn doubled_members_and_other_spellings_are_found() {
    let original = file();
    for (from, to) in [
        ("\"seq\":1", "\"seq\":1,\"seq\":1"),
        ("\"delta\":-3", "\"delta\":-3.0"),
        ("é", "\\u00e9"),
        ("{\"at\"", "{ \"at\""),
        ("\"kind\":\"Step\"", "\"kind\":\"Step\",\"note\":1"),
    ] {
        assert!(original.contains(from));
        assert!(verify_export(&original.replacen(from, to, 1)).is_err(), "{from} to {to}");
    }
}

#[test]
fn other_versions_and_other_files_are_refused_with_a_reason() {
    let newer = Header { v: 2, ..header() };
    let text = export(&newer, &[]).unwrap();
    assert_eq!(verify_export(&text), Err(ExportFault::Version(2)));
    for text in ["", "\n", "{}\n", "not json\n", "{}\n{}\n"] {
        assert!(verify_export(text).is_err(), "{text:?}");
    }
    assert!(
        verify_export("not json\n")
            .unwrap_err()
            .to_string()
            .starts_with("line 1 cannot be read as the header")
    );
}

#[test]
fn broken_chain_is_exported_and_the_reader_finds_it() {
    let mut entries = chain();
    entries[2].body = serde_json::json!({"forged": true});
    let ExportFault::Misfit(misfit) = verify_export(&export(&header(), &entries).unwrap()).unwrap_err()
    else {
        panic!()
    };
    assert_eq!(misfit.seq, 3);
    let other = export(&Header { task: "other".into(), ..header() }, &chain()).unwrap();
    let ExportFault::Misfit(misfit) = verify_export(&other).unwrap_err() else { panic!() };
    assert_eq!(misfit.seq, 1);
}
