//! Plain text: a tag a line. There is no place in it for a record of what is ours; the store keeps it.

use super::reconciling::reconcile;
use super::{Merged, Refusal, Wish, clean, cleaned};

/// A sidecar with these tags, and with all that is in it already.
#[expect(clippy::unnecessary_wraps, reason = "as the other formats, of which some cannot be changed")]
pub(super) fn merge(existing: Option<&str>, wish: &Wish<'_>) -> Result<Merged, Refusal> {
    let text = existing.unwrap_or_default();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let value = |line: &str| line.trim_start_matches('\u{feff}').trim().to_owned();
    let present: Vec<String> = lines.iter().map(|line| value(line)).filter(|line| !line.is_empty()).collect();
    let ours = if existing.is_some() { wish.ours } else { &[] };
    let change = reconcile(&present, ours, &cleaned(wish.labels, clean), wish.knowledge);

    let ending = if lines.first().is_some_and(|line| line.ends_with("\r\n")) { "\r\n" } else { "\n" };
    let mut take = change.take.clone();
    let mut changed = String::with_capacity(text.len());
    for line in &lines {
        match take.iter().position(|value_taken| *value_taken == value(line)) {
            Some(at) => {
                take.swap_remove(at);
                changed.push_str(if line.starts_with('\u{feff}') { "\u{feff}" } else { "" });
            }
            None => changed.push_str(line),
        }
    }
    for value in &change.add {
        if !(changed.is_empty() || changed == "\u{feff}" || changed.ends_with('\n')) {
            changed.push_str(ending);
        }
        changed.push_str(value);
        changed.push_str(ending);
    }
    Ok(Merged {
        text: (changed != text).then_some(changed),
        added: change.add,
        removed: change.take,
        left_out: change.left_out,
        ours: change.ours,
    })
}
