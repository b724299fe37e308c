//! Which values go into a list that others write too, and which come out. Pure.
//!
//! A value belongs to whoever wrote it first. Of ours there is a record; what is not in it is never taken away. What is in it, should
//! still be there and is not, was taken out by somebody with another program, and stays out.

/// What is known of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Knowledge {
    /// What should be there is all of it.
    Whole,
    /// It was not scored: what was there stays.
    Part,
}

/// What is to happen to a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    /// Values to add at the end.
    pub(super) add: Vec<String>,
    /// Values of ours to take out, once each.
    pub(super) take: Vec<String>,
    /// The record afterwards.
    pub(super) ours: Vec<String>,
    /// Values of ours that somebody took out.
    pub(super) left_out: usize,
}

/// From what is in the list, what of it is ours by the record, and what should be there.
pub(super) fn reconcile(present: &[String], ours: &[String], wanted: &[String], knowledge: Knowledge) -> Change {
    let mut change = Change::default();
    for value in ours {
        let is_there = present.contains(value);
        if change.ours.contains(value) || change.take.contains(value) {
            continue;
        }
        if wanted.contains(value) || knowledge == Knowledge::Part {
            change.left_out += usize::from(!is_there && wanted.contains(value));
            change.ours.push(value.clone());
        } else if is_there {
            change.take.push(value.clone());
        }
    }
    for value in wanted {
        if !ours.contains(value) && !present.contains(value) && !change.add.contains(value) {
            change.add.push(value.clone());
            change.ours.push(value.clone());
        }
    }
    change
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    fn reconciled(present: &str, ours: &str, wanted: &str) -> (String, String, String) {
        let change = reconcile(&words(present), &words(ours), &words(wanted), Knowledge::Whole);
        (change.add.join(" "), change.take.join(" "), change.ours.join(" "))
    }

    fn expected(add: &str, take: &str, ours: &str) -> (String, String, String) {
        (add.to_owned(), take.to_owned(), ours.to_owned())
    }

    #[test]
    fn what_is_no_longer_true_goes_and_what_others_wrote_stays() {
        assert_eq!(reconciled("", "", "dog sea"), expected("dog sea", "", "dog sea"));
        assert_eq!(reconciled("anna dog sea", "dog sea", "sea cat"), expected("cat", "dog", "sea cat"));
        assert_eq!(reconciled("dog", "", "dog"), expected("", "", ""), "somebody else's dog");
        assert_eq!(reconciled("dog", "", ""), expected("", "", ""));
        assert_eq!(reconciled("sea", "dog sea", "dog sea"), expected("", "", "dog sea"), "somebody took the dog out");
        assert_eq!(
            reconciled("sea", "dog sea", "sea"),
            expected("", "", "sea"),
            "and it is forgotten when nobody says so"
        );
    }

    #[test]
    fn what_was_not_scored_keeps_what_it_had() {
        let change = reconcile(&words("dog"), &words("dog"), &words("sea"), Knowledge::Part);
        assert_eq!((change.add, change.take, change.ours), (words("sea"), vec![], words("dog sea")));
    }
}
