//! A way to end calls from outside: Ctrl-C, a closed window, a loader that is dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Ends the calls that were given a clone of it. Once cancelled, it stays so.
///
/// Put it into [`Limits::cancel`](crate::Limits::cancel). A call that runs returns within the time of one frame, with
/// [`ClipErrorKind::Cancelled`](crate::ClipErrorKind::Cancelled); later calls return at once.
#[derive(Debug, Clone, Default)]
pub struct CancelToken {
    node: Arc<Node>,
}

#[derive(Debug, Default)]
struct Node {
    is_cancelled: AtomicBool,
    parent: Option<CancelToken>,
}

impl CancelToken {
    /// One that nobody has cancelled.
    pub fn new() -> Self {
        Self::default()
    }

    /// One that can be cancelled alone, and is cancelled together with this one.
    #[must_use]
    pub fn child(&self) -> Self {
        Self { node: Arc::new(Node { is_cancelled: AtomicBool::new(false), parent: Some(self.clone()) }) }
    }

    /// Ends all calls that hold a clone or a child. Only stores a flag, so a signal handler may call it.
    pub fn cancel(&self) {
        self.node.is_cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether somebody has cancelled it.
    pub fn is_cancelled(&self) -> bool {
        let is_cancelled = self.node.is_cancelled.load(Ordering::Relaxed);
        is_cancelled || self.node.parent.as_ref().is_some_and(Self::is_cancelled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_follows_its_parent_and_not_the_other_way_round() {
        let parent = CancelToken::new();
        let (child, sibling) = (parent.child(), parent.child());
        child.clone().cancel();
        assert_eq!([&parent, &child, &sibling].map(CancelToken::is_cancelled), [false, true, false]);
        parent.cancel();
        assert!(sibling.is_cancelled() && sibling.child().is_cancelled());
    }
}
