//! Where a bench runs.

use std::path::Path;

use anyhow::Result;
use diesel::prelude::*;

use super::report::Machine;

#[derive(QueryableByName)]
struct Version {
    #[diesel(sql_type = diesel::sql_types::Text)]
    version: String,
}

/// This machine, with files in this folder, the SQLite that is built in and a Redis of this version.
///
/// # Errors
/// SQLite does not tell its version.
pub fn machine(folder: &Path, redis: Option<String>) -> Result<Machine> {
    let mut conn = SqliteConnection::establish(":memory:")?;
    let version = "SELECT sqlite_version() AS version";
    let sqlite: Version = diesel::sql_query(version).get_result(&mut conn)?;
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let folder = folder.canonicalize()?;
    Ok(Machine {
        cores: std::thread::available_parallelism()?.get(),
        processor: processor(&read("/proc/cpuinfo")),
        scheduling: scheduling(&read("/proc/self/stat")).map(str::to_owned),
        file_system: file_system(&read("/proc/self/mounts"), &folder),
        sqlite: sqlite.version,
        redis,
    })
}

fn processor(cpuinfo: &str) -> Option<String> {
    let mut lines = cpuinfo.lines();
    let line = lines.find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The policy is the 41st field (proc_pid_stat(5)); before the third is a name with any characters.
fn scheduling(stat: &str) -> Option<&'static str> {
    let (_, from_third) = stat.rsplit_once(')')?;
    match from_third.split_whitespace().nth(41 - 3)? {
        "0" => Some("normal"),
        "3" => Some("batch"),
        "5" => Some("idle"),
        _ => Some("real time"),
    }
}

/// The kind of file system that a folder is on: the longest mount above it, the last of its kind.
fn file_system(mounts: &str, folder: &Path) -> Option<String> {
    let above = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        let (at, kind) = (words.next()?, words.next()?);
        folder.starts_with(at).then_some((at.len(), kind))
    });
    above
        .max_by_key(|(length, _)| *length)
        .map(|(_, kind)| kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_has_a_name_where_linux_knows_it() {
        let cpuinfo = "processor\t: 0\nmodel name\t: A Processor @ 3 GHz\nmodel name\t: Another\n";
        assert_eq!(processor(cpuinfo).as_deref(), Some("A Processor @ 3 GHz"));
        assert_eq!(processor("processor\t: 0\n"), None);
    }

    #[test]
    fn the_scheduling_is_what_somebody_chose() {
        let stat = |policy| format!("7 (a) b) S {} {policy} 0 0", ["0"; 37].join(" "));
        assert_eq!(scheduling(&stat(0)), Some("normal"));
        assert_eq!(scheduling(&stat(3)), Some("batch"));
        assert_eq!(scheduling(""), None);
    }

    #[test]
    fn a_folder_is_on_the_nearest_mount() {
        let mounts = "/dev/a / ext4 rw 0 0\ntmpfs /run tmpfs rw 0 0\n/dev/b /runway xfs rw 0 0\n";
        let kind = |path: &str| file_system(mounts, Path::new(path));
        assert_eq!(kind("/run/x").as_deref(), Some("tmpfs"));
        assert_eq!(kind("/runway").as_deref(), Some("xfs"));
        assert_eq!(kind("/srv").as_deref(), Some("ext4"));
    }

    #[test]
    fn the_sqlite_is_the_one_that_is_built_in() {
        let machine = machine(&std::env::temp_dir(), None);
        assert!(machine.is_ok_and(|machine| machine.cores > 0 && machine.sqlite.starts_with("3.")));
    }
}
