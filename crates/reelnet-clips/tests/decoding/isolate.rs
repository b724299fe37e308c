//! Workers that die, hang or talk nonsense are one failed file. That sound workers give what a decoder gives is tested on
//! the `reelnet` binary, which is one.

use std::process::Command;
use std::time::{Duration, Instant};

use reelnet_clips::isolate::Crew;
use reelnet_clips::{CancelToken, ClipErrorKind, Limits};

fn shell(script: &'static str) -> Crew {
    Crew::new(move || {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    })
}

fn failure(crew: &Crew, limits: &Limits) -> ClipErrorKind {
    match crew.open("any file.mp4".as_ref(), limits) {
        Ok(_) => panic!("no worker opened it"),
        Err(error) => error.kind,
    }
}

#[test]
fn the_end_of_a_worker_is_told() {
    for (script, told) in [
        ("kill -SEGV $$", "was ended by signal 11 (segmentation fault)"),
        ("kill -ABRT $$", "was ended by signal 6 (aborted, perhaps for lack of memory)"),
        ("exit 3", "ended with code 3"),
        ("exec 1>&-; exec sleep 60", "was ended by signal 9"),
        ("printf '\\377\\377\\377\\377no message'; exec sleep 60", "was ended by signal 9"),
        ("printf '\\003\\000\\000\\000abc'; exec sleep 60", "was ended by signal 9"),
    ] {
        let start = Instant::now();
        let crew = shell(script);
        // The crew goes on with another worker.
        for _ in 0..2 {
            let kind = failure(&crew, &Limits::default());
            assert_eq!(kind.name(), "crashed");
            assert!(kind.to_string().contains(told), "{script}: {kind}");
        }
        assert!(start.elapsed() < Duration::from_secs(30), "{script}");
    }
    let missing = Crew::new(|| Command::new("/no/such/program"));
    assert!(failure(&missing, &Limits::default()).to_string().contains("cannot be started"));
}

#[test]
fn a_worker_that_hangs_is_ended() {
    let crew = shell("exec sleep 600");
    let limits = Limits { deadline: Duration::from_millis(100), ..Limits::default() };
    let start = Instant::now();
    assert_eq!(failure(&crew, &limits), ClipErrorKind::TimedOut { limit: limits.deadline });
    assert!(start.elapsed() < Duration::from_secs(30));

    let cancel = CancelToken::new();
    let limits = Limits { cancel: cancel.clone(), ..Limits::default() };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(200));
            cancel.cancel();
        });
        let start = Instant::now();
        assert_eq!(failure(&crew, &limits), ClipErrorKind::Cancelled);
        assert!(start.elapsed() < Duration::from_secs(10));
    });
}
