//! What a service tells about itself at `GET /metrics`, in Prometheus' text format.

use super::Written;

/// What its writer has done; `None` where it does not tell.
pub fn written(text: &str) -> Option<Written> {
    Some(Written {
        commits: count(text, "saga_writer_commits_total")?,
        jobs: count(text, "saga_writer_jobs_total")?,
        checkpoints: count(text, "saga_writer_checkpoints_total")?,
    })
}

/// The CPU time that its process has taken, in seconds.
pub fn cpu_seconds(text: &str) -> Option<f64> {
    sum(text, "process_cpu_seconds_total")
}

/// What its process has in memory, in bytes.
pub fn memory_bytes(text: &str) -> Option<u64> {
    count(text, "process_resident_memory_bytes")
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // counters are whole and small
fn count(text: &str, name: &str) -> Option<u64> {
    sum(text, name).map(|sum| sum as u64)
}

/// All series of this name together, whatever their labels.
fn sum(text: &str, name: &str) -> Option<f64> {
    let mut values = text.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let value = match rest.as_bytes().first()? {
            b' ' => rest,
            b'{' => rest.rsplit_once('}')?.1,
            _ => return None,
        };
        // Behind the value there may be a time.
        value.split_whitespace().next()?.parse::<f64>().ok()
    });
    let first = values.next()?;
    Some(first + values.sum::<f64>())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# HELP saga_writer_commits_total Transactions.\n\
        # TYPE saga_writer_commits_total counter\n\
        saga_writer_commits_total 12\n\
        saga_writer_commits_total_created 99\n\
        saga_writer_jobs_total{kind=\"event\"} 30 1767225600000\n\
        saga_writer_jobs_total{kind=\"a } b\"} 4\n\
        saga_writer_checkpoints_total 1\n\
        process_cpu_seconds_total 1.25\n\
        process_resident_memory_bytes 1.048576e+06\n";

    #[test]
    fn series_are_found_by_name_and_added_up() {
        let written = written(TEXT);
        let wanted = Written {
            commits: 12,
            jobs: 34,
            checkpoints: 1,
        };
        assert_eq!(written, Some(wanted));
        assert_eq!(cpu_seconds(TEXT), Some(1.25));
        assert_eq!(memory_bytes(TEXT), Some(1_048_576));
    }

    #[test]
    fn what_is_not_told_is_not_zero() {
        assert_eq!(written("# nothing\n"), None);
        assert_eq!(cpu_seconds("process_cpu_seconds 3\n"), None);
    }
}
