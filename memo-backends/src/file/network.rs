//! Whether a folder lies on a file system of another machine.
//!
//! LMDB shares memory maps and locks between processes, and a network file system keeps neither the same on two
//! machines, nor always on one. The kernel tells what is mounted in `/proc/self/mountinfo`; where that can't be read,
//! and on other systems than Linux, nothing is refused.

use std::fs;
use std::path::Path;

/// File systems on which maps or locks are not coherent. Of those in user space (`fuse`) only the known remote ones:
/// others may well be on a disk of this machine.
const REFUSED: &[&str] = &[
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "ncpfs",
    "afs",
    "coda",
    "9p",
    "ceph",
    "lustre",
    "gpfs",
    "glusterfs",
    "orangefs",
    "gfs2",
    "ocfs2",
    "fuse.sshfs",
    "fuse.s3fs",
    "fuse.s3ql",
    "fuse.goofys",
    "fuse.gcsfuse",
    "fuse.blobfuse",
    "fuse.rclone",
    "fuse.glusterfs",
    "fuse.ceph",
    "fuse.ceph-fuse",
    "fuse.davfs",
    "fuse.curlftpfs",
    "fuse.juicefs",
    "fuse.moosefs",
    "fuse.mfs",
    "fuse.seaweedfs",
];

/// The name of the network file system that `folder` lies on, if it does.
pub(super) fn network_file_system(folder: &Path) -> Option<&'static str> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    refused(file_system(&mounts, &device(folder)?)?)
}

fn refused(file_system: &str) -> Option<&'static str> {
    REFUSED.iter().find(|refused| **refused == file_system).copied()
}

/// The type of the file system on a device, from lines such as
/// `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue`.
fn file_system<'a>(mounts: &'a str, device: &str) -> Option<&'a str> {
    mounts.lines().find_map(|line| {
        let (mount, source) = line.split_once(" - ")?;
        (mount.split(' ').nth(2)? == device).then_some(())?;
        source.split(' ').next()
    })
}

/// The device of a folder, as "major:minor".
#[cfg(target_os = "linux")]
fn device(folder: &Path) -> Option<String> {
    use std::os::linux::fs::MetadataExt;
    let device = fs::metadata(folder).ok()?.st_dev();
    // How Linux packs the two numbers into one.
    let major = ((device >> 8) & 0xfff) | ((device >> 32) & !0xfff);
    let minor = (device & 0xff) | ((device >> 12) & !0xff);
    Some(format!("{}:{}", major & 0xffff_ffff, minor & 0xffff_ffff))
}

#[cfg(not(target_os = "linux"))]
fn device(_: &Path) -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
90 27 0:44 / /home rw,relatime shared:40 - nfs4 server:/export/home rw,vers=4.2
91 27 0:45 / /mnt/a\\040space rw,relatime - fuse.sshfs user@host: rw,user_id=0
92 27 0:46 / /mnt/disk rw,relatime - fuse.ntfs-3g /dev/sdb1 rw
93 27 0:47 / /mnt/windows rw - cifs //server/share rw
";

    #[test]
    fn network_file_systems_are_refused() {
        let of = |device| file_system(MOUNTS, device).and_then(refused);
        assert_eq!(of("0:44"), Some("nfs4"));
        assert_eq!(of("0:45"), Some("fuse.sshfs"));
        assert_eq!(of("0:47"), Some("cifs"));
    }

    #[test]
    fn local_and_unknown_ones_are_not() {
        let of = |device| file_system(MOUNTS, device).and_then(refused);
        assert_eq!(of("254:1"), None);
        assert_eq!(of("0:46"), None, "a disk of this machine behind fuse");
        assert_eq!(of("9:9"), None);
        assert_eq!(file_system("no mount line at all\n\n - \n", "0:44"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_device_of_a_folder_is_named_as_the_kernel_does() -> std::io::Result<()> {
        let mounts = fs::read_to_string("/proc/self/mountinfo")?;
        let device = device(Path::new("/proc")).expect("/proc can be asked");
        assert_eq!(file_system(&mounts, &device), Some("proc"));
        Ok(())
    }
}
