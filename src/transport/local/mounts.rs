//! The mounts of a process, from `/proc/PID/mountinfo` (`proc(5)`).

/// One mount.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mount {
    /// The filesystem, `MAJOR:MINOR`.
    pub(super) device: Vec<u8>,
    /// The directory of that filesystem that is mounted.
    pub(super) root: Vec<u8>,
    /// The mount point.
    pub(super) point: Vec<u8>,
}

/// A directory's path in its own filesystem, independent of mount points.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DevicePath {
    /// The filesystem, `MAJOR:MINOR`.
    pub(super) device: Vec<u8>,
    /// The path in it, with a trailing slash.
    pub(super) prefix: Vec<u8>,
}

/// Returns the mounts that the process of this id (or `self`) sees; none where they cannot be read.
pub(super) fn of(process: &str) -> Vec<Mount> {
    let text = fs_err::read(format!("/proc/{process}/mountinfo")).unwrap_or_default();
    text.split(|byte| *byte == b'\n').filter_map(parsed).collect()
}

fn parsed(line: &[u8]) -> Option<Mount> {
    let mut words = line.split(|byte| *byte == b' ').skip(2);
    let mut word = || words.next().map(unescaped);
    Some(Mount { device: word()?, root: word()?, point: word()? })
}

/// Undoes octal escapes such as `\\040`.
pub(super) fn unescaped(word: &[u8]) -> Vec<u8> {
    let (mut plain, mut rest) = (Vec::new(), word);
    while let Some((first, after)) = rest.split_first() {
        let octal = after.get(..3).filter(|_| *first == b'\\');
        let byte = octal.and_then(|octal| u8::from_str_radix(std::str::from_utf8(octal).ok()?, 8).ok());
        plain.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &after[3..] } else { after };
    }
    plain
}

/// Returns the path in its filesystem of the directory `prefix` (absolute, with a trailing slash).
pub(super) fn device_path(prefix: &[u8]) -> Option<DevicePath> {
    device_path_in(&of("self"), prefix)
}

fn device_path_in(mounts: &[Mount], prefix: &[u8]) -> Option<DevicePath> {
    // The deepest mount above it counts, and the last of several at one mount point.
    let below = |mount: &Mount| {
        let rest = prefix.strip_prefix(&mount.point[..])?;
        (rest.starts_with(b"/") || mount.point.ends_with(b"/")).then(|| rest.to_vec())
    };
    let above = mounts.iter().filter_map(|mount| Some((mount, below(mount)?)));
    let (mount, rest) = above.max_by_key(|(mount, _)| mount.point.len())?;
    let root = mount.root.strip_suffix(b"/").unwrap_or(&mount.root);
    let rest = rest.strip_prefix(b"/").unwrap_or(&rest);
    Some(DevicePath { device: mount.device.clone(), prefix: [root, b"/", rest].concat() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: &str = "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n30 22 8:2 /data /srv/my\\040shop rw - ext4 /dev/sdb rw\n\
        31 22 0:40 / /proc rw - proc proc rw\n";

    #[test]
    fn a_directory_is_found_by_what_its_filesystem_calls_it() {
        let mounts: Vec<Mount> = INFO.as_bytes().split(|byte| *byte == b'\n').filter_map(parsed).collect();
        assert_eq!(mounts.len(), 3);
        let path = |prefix: &str| device_path_in(&mounts, prefix.as_bytes()).map(|found| (found.device, found.prefix));
        assert_eq!(path("/srv/my shop/releases/"), Some((b"8:2".to_vec(), b"/data/releases/".to_vec())));
        assert_eq!(path("/srv/my shops/x/"), Some((b"8:1".to_vec(), b"/srv/my shops/x/".to_vec())));
        assert_eq!(device_path_in(&[], b"/srv/"), None);
        assert!(device_path(b"/proc/self/").is_some());
    }
}
