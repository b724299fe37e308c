//! Which frames a walk does not believe. Decoders mend what is damaged, and mark at most the picture itself: what builds on
//! it comes out like any other.

use std::collections::BTreeSet;

use crate::packets::FrameIndex;
use crate::reference::Reference;

/// What is known of the damage met so far. Packets are told by their positions in the file.
#[derive(Default)]
pub(crate) struct Doubts {
    /// Damaged packets on which others may build.
    spreading: BTreeSet<usize>,
    /// Damaged packets on which nothing builds.
    harmless: BTreeSet<usize>,
    /// The packet that the decoder got last: what it complains of is there.
    fed: Option<(usize, Reference)>,
    /// Presentation time of the key packet that was jumped to.
    jumped_to: Option<i64>,
    /// Whether the decoder may miss pictures that were jumped over. What it then complains of proves nothing.
    has_gaps: bool,
}

impl Doubts {
    /// The walk goes on at another place, or at the start.
    pub(crate) fn jump(&mut self, to: Option<i64>) {
        self.jumped_to = to;
        self.has_gaps = false;
        self.fed = None;
    }

    /// A packet goes into the decoder.
    pub(crate) fn feed(&mut self, position: usize, reference: Reference, pts: Option<i64>) {
        // Frames shown before the key picture that was jumped to, but stored behind it, may build on what was jumped over.
        self.has_gaps |= self.jumped_to.is_some_and(|key| pts.is_some_and(|pts| pts < key));
        self.fed = Some((position, reference));
    }

    /// The place that was jumped to is one from which the decoder cannot know everything.
    pub(crate) fn expect_gaps(&mut self) {
        self.has_gaps |= self.jumped_to.is_some();
    }

    /// The decoder complained. Gives whether that is to be taken seriously.
    pub(crate) fn complain(&mut self) -> bool {
        let Some((position, reference)) = self.fed.filter(|_| !self.has_gaps) else { return false };
        self.add(position, reference);
        true
    }

    /// A packet is damaged.
    pub(crate) fn add(&mut self, position: usize, reference: Reference) {
        match reference {
            Reference::Possible => self.spreading.insert(position),
            Reference::Never => self.harmless.insert(position),
        };
    }

    /// Whether a frame is made of a damaged packet, or may be made of a picture that is.
    pub(crate) fn concern(&self, frame: usize, index: &FrameIndex) -> bool {
        if self.spreading.is_empty() && self.harmless.is_empty() {
            return false;
        }
        let Some(own) = index.entries.get(frame).map(|entry| entry.decode_order) else { return true };
        let start = index.start_for(frame).map_or(0, |key| key.decode_order.min(own));
        self.harmless.contains(&own) || self.spreading.range(start..=own).next().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packets::{PacketRecord, Role, StartPoint};

    /// Two groups of four, each shown as it is stored.
    fn index() -> FrameIndex {
        let record = |n: i64| PacketRecord {
            pts: Some(n),
            dts: Some(n),
            duration: 1,
            start: if n % 4 == 0 { StartPoint::Key } else { StartPoint::Dependent },
            role: Role::Shown,
            reference: Reference::Possible,
        };
        FrameIndex::build((0..8).map(record).collect(), 1)
    }

    fn concerned(doubts: &Doubts) -> Vec<usize> {
        (0..8).filter(|&frame| doubts.concern(frame, &index())).collect()
    }

    #[test]
    fn doubt_spreads_to_the_end_of_the_group() {
        let mut doubts = Doubts::default();
        assert!(concerned(&doubts).is_empty());
        doubts.add(2, Reference::Never);
        assert_eq!(concerned(&doubts), [2]);
        doubts.feed(1, Reference::Possible, Some(1));
        assert!(doubts.complain());
        assert_eq!(concerned(&doubts), [1, 2, 3]);
    }

    #[test]
    fn what_was_jumped_over_is_not_damage() {
        let mut doubts = Doubts::default();
        assert!(!doubts.complain(), "nothing went in yet");
        doubts.jump(Some(4));
        doubts.feed(4, Reference::Possible, Some(4));
        assert!(doubts.complain());
        doubts.feed(5, Reference::Possible, Some(3));
        assert!(!doubts.complain(), "a leading picture");
        doubts.feed(6, Reference::Possible, Some(6));
        assert!(!doubts.complain(), "what it left behind");
        doubts.jump(None);
        doubts.expect_gaps();
        doubts.feed(0, Reference::Possible, Some(0));
        assert!(doubts.complain(), "at the start of the file nothing was jumped over");
    }
}
