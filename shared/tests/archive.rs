//! Archives: what is in them comes out, and nothing leads out of the root.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::io::Write as _;

use wasipool_shared::archive::{ArchiveError, ArchiveLimits, Entry, unpack};

fn tar(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content) in entries {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        // Written raw: the builder itself refuses the paths that are tested.
        let name = &mut header.as_old_mut().name;
        name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_cksum();
        builder.append(&header, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    for (path, content) in entries {
        writer.start_file(*path, options).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

const FILES: &[(&str, &[u8])] = &[("a.txt", b"A"), ("./dir/b.bin", &[0, 1, 2])];

#[test]
fn all_kinds_give_the_same_tree() {
    let plain = tar(FILES);
    for bytes in [zip(FILES), gzip(&plain), plain] {
        let tree = unpack(&bytes, ArchiveLimits::default()).unwrap();
        assert_eq!(tree.len(), 2);
        assert_eq!(tree["a.txt"], Entry::File(b"A".to_vec()));
        assert_eq!(tree["dir/b.bin"], Entry::File(vec![0, 1, 2]));
    }
}

#[test]
fn nothing_leads_out_of_the_root() {
    for path in ["../a", "a/../../b", "/etc/passwd", "a\\b"] {
        for bytes in [zip(&[(path, b"x")]), tar(&[(path, b"x")])] {
            let error = unpack(&bytes, ArchiveLimits::default()).unwrap_err();
            assert!(matches!(error, ArchiveError::Path(_)), "{path}: {error}");
        }
    }
}

#[test]
fn links_are_refused() {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    header.set_path("link").unwrap();
    header.set_link_name("/etc").unwrap();
    header.set_cksum();
    let mut builder = tar::Builder::new(Vec::new());
    builder.append(&header, &[][..]).unwrap();
    let error = unpack(&builder.into_inner().unwrap(), ArchiveLimits::default()).unwrap_err();
    assert_eq!(error, ArchiveError::Kind("link".into()));
}

#[test]
fn limits_hold_just_above_and_not_just_below() {
    let limits = ArchiveLimits {
        entries: 2,
        bytes: 4,
        ratio: 100,
    };
    assert!(unpack(&zip(FILES), limits).is_ok(), "2 entries, 4 bytes");
    let fewer = ArchiveLimits {
        entries: 1,
        ..limits
    };
    assert_eq!(
        unpack(&zip(FILES), fewer).unwrap_err(),
        ArchiveError::TooManyEntries(1)
    );
    assert_eq!(
        unpack(&tar(FILES), fewer).unwrap_err(),
        ArchiveError::TooManyEntries(1)
    );
    let smaller = ArchiveLimits { bytes: 3, ..limits };
    assert_eq!(
        unpack(&gzip(&tar(FILES)), smaller).unwrap_err(),
        ArchiveError::TooLarge(3)
    );
}

#[test]
fn a_bomb_is_stopped_by_its_ratio() {
    let zeros = vec![0; 8 * 1024 * 1024];
    let bomb = zip(&[("zeros", &zeros)]);
    let ratio = ArchiveLimits::default().ratio;
    assert!(zeros.len() as u64 > ratio * bomb.len() as u64);
    let error = unpack(&bomb, ArchiveLimits::default()).unwrap_err();
    assert_eq!(error, ArchiveError::Ratio(ratio));
}

#[test]
fn what_is_no_archive_or_damaged_is_an_error() {
    assert_eq!(
        unpack(b"hello", ArchiveLimits::default()).unwrap_err(),
        ArchiveError::Unknown
    );
    for mut bytes in [zip(FILES), gzip(&tar(FILES))] {
        bytes.truncate(bytes.len() / 2);
        let error = unpack(&bytes, ArchiveLimits::default()).unwrap_err();
        assert!(matches!(error, ArchiveError::Damaged(_)), "{error}");
    }
}
