//! Jobs for people and for programs.

use amaters_proto::admin::v1::{Job, JobKind, JobState, job::Result as Outcome};
use serde_json::{Value, json};

/// What a table of jobs shows of each.
pub(super) const COLUMNS: [&str; 7] = ["id", "kind", "state", "subject", "keys", "bytes", "error"];

fn kind(job: &Job) -> &'static str {
    match job.kind() {
        JobKind::Backup => "backup",
        JobKind::Restore => "restore",
        JobKind::Verify => "verify",
        JobKind::Compact => "compact",
        JobKind::Unspecified => "unknown",
    }
}

fn state(job: &Job) -> &'static str {
    match job.state() {
        JobState::Waiting => "waiting",
        JobState::Running => "running",
        JobState::Done => "done",
        JobState::Failed => "failed",
        JobState::Cancelled => "cancelled",
        JobState::Unspecified => "unknown",
    }
}

/// Damages that a job has found.
pub(super) fn damages(job: &Job) -> u64 {
    match &job.result {
        Some(Outcome::Verify(verify)) => verify.damages_total,
        _ => 0,
    }
}

/// A job, and what came of it.
pub(super) fn line(job: &Job) -> String {
    let subject =
        if job.subject.is_empty() { String::new() } else { format!(" of {}", job.subject) };
    let mut text = format!("job {}: {}{subject}: {}", job.id, kind(job), state(job));
    if let Some(outcome) = &job.result {
        let told = match outcome {
            Outcome::Backup(backup) => {
                format!("{} keys, {} bytes in {}", backup.keys, backup.size_bytes, backup.directory)
            }
            Outcome::Restore(restore) => {
                let dry = if restore.dry_run { "would be " } else { "" };
                format!("{} keys, {} bytes {dry}restored", restore.keys, restore.bytes)
            }
            Outcome::Verify(verify) => format!(
                "{} keys, {} bytes in {} files read, {} damages",
                verify.keys, verify.bytes, verify.files, verify.damages_total
            ),
            Outcome::Compact(compact) => format!(
                "{} tables with {} bytes, {} with {} before",
                compact.tables_after,
                compact.bytes_after,
                compact.tables_before,
                compact.bytes_before
            ),
        };
        text.push_str(&format!("; {told}"));
        if let Outcome::Verify(verify) = outcome {
            verify.damages.iter().for_each(|damage| text.push_str(&format!("\n  {damage}")));
        }
    }
    if !job.error.is_empty() {
        text.push_str(&format!("; {}", job.error));
    }
    text
}

/// Everything that is known of a job.
pub(super) fn object(job: &Job) -> Value {
    let progress = job.progress.clone().unwrap_or_default();
    let result = match &job.result {
        None => Value::Null,
        Some(Outcome::Backup(backup)) => json!({
            "directory": backup.directory,
            "backup_id": backup.backup_id,
            "incremental": backup.incremental,
            "parent_id": (!backup.parent_id.is_empty()).then_some(&backup.parent_id),
            "keys": backup.keys,
            "bytes": backup.bytes,
            "size_bytes": backup.size_bytes,
            "deletions": backup.deletions,
        }),
        Some(Outcome::Restore(restore)) => json!({
            "schema_version": restore.schema_version,
            "keys": restore.keys,
            "bytes": restore.bytes,
            "backups": restore.backups,
            "dry_run": restore.dry_run,
        }),
        Some(Outcome::Verify(verify)) => json!({
            "keys": verify.keys,
            "bytes": verify.bytes,
            "files": verify.files,
            "damages": verify.damages,
            "damages_total": verify.damages_total,
        }),
        Some(Outcome::Compact(compact)) => json!({
            "tables_before": compact.tables_before,
            "tables_after": compact.tables_after,
            "bytes_before": compact.bytes_before,
            "bytes_after": compact.bytes_after,
        }),
    };
    json!({
        "id": job.id,
        "kind": kind(job),
        "state": state(job),
        "subject": job.subject,
        "created_at_ms": job.created_at_ms,
        "started_at_ms": job.started_at_ms,
        "ended_at_ms": job.ended_at_ms,
        "step": progress.step,
        "keys": progress.keys,
        "bytes": progress.bytes,
        "bytes_total": (progress.bytes_total > 0).then_some(progress.bytes_total),
        "error": (!job.error.is_empty()).then_some(&job.error),
        "scheduled": job.scheduled,
        "result": result,
    })
}
