//! Windows of made videos: cuts where they were made, dark and equal stretches told, long videos stretched.

use std::process::Command;

use reelnet_tests::command::Sandbox;
use serde_json::Value;

use super::made::{json, library, prepare};

/// Shots, each from a source of its own, one after another.
fn shots(sandbox: &Sandbox, name: &str, shots: &[(&str, f64)]) {
    sandbox.write(name, "");
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-y", "-v", "error"]);
    for (source, seconds) in shots {
        let joint = if source.contains('=') { ":" } else { "=" };
        command.args(["-f", "lavfi", "-t", &seconds.to_string(), "-i", &format!("{source}{joint}size=96x64:rate=20")]);
    }
    let graph: String = (0..shots.len()).map(|shot| format!("[{shot}:v]setsar=1,format=yuv420p[s{shot}];")).collect();
    let inputs: String = (0..shots.len()).map(|shot| format!("[s{shot}]")).collect();
    let made = command
        .args(["-filter_complex", &format!("{graph}{inputs}concat=n={}:v=1", shots.len()), "-pix_fmt", "yuv420p"])
        .arg(sandbox.path(name))
        .status()
        .expect("ffmpeg runs");
    assert!(made.success());
}

/// The windows of a video: start, end, look.
fn windows(sandbox: &Sandbox, name: &str, more: &[&str]) -> Vec<(f64, f64, Value)> {
    sandbox.run(library(&["add", "videos"])).expect_code(0);
    sandbox.run([&library(&["work", "--model", "model"])[..], more].concat()).expect_code(0);
    let shown = json(&sandbox.run(library(&["show", name, "--json"])).expect_code(0));
    let windows = shown["models"].as_array().and_then(|models| models.last()).expect("a model")["windows"].clone();
    let number = |value: &Value| value.as_f64().expect("a number");
    windows
        .as_array()
        .expect("windows")
        .iter()
        .map(|window| (number(&window["s"]), number(&window["e"]), window["l"].clone()))
        .collect()
}

#[test]
fn cuts_end_windows() {
    let sandbox = prepare();
    // Sixteen shots: moving, still, alike in nothing, alike in much. None of their ends is one of a window of five seconds.
    let made = [
        ("testsrc2", 3.3),
        ("mandelbrot", 4.1),
        ("color=red", 2.4),
        ("smptebars", 3.9),
        ("testsrc", 4.6),
        ("color=white", 1.4),
        ("life=ratio=0.4", 3.2),
        ("testsrc2", 4.7),
        ("yuvtestsrc", 2.9),
        ("mandelbrot=start_scale=0.3", 6.2),
        ("color=green", 2.8),
        ("cellauto", 4.3),
        ("rgbtestsrc", 3.6),
        ("smptehdbars", 2.1),
        ("pal75bars", 3.4),
        ("testsrc", 4.4),
    ];
    shots(&sandbox, "videos/cuts.mp4", &made);
    let ends: Vec<f64> = made
        .iter()
        .scan(0.0, |at, (_, seconds)| {
            *at += seconds;
            Some(*at)
        })
        .collect();
    let (cuts, total) = (&ends[..ends.len() - 1], ends[ends.len() - 1]);
    let windows = windows(&sandbox, "videos/cuts.mp4", &[]);
    assert!(windows.windows(2).all(|pair| (pair[0].1 - pair[1].0).abs() < 1e-6), "they leave no gap: {windows:?}");
    let interval = total / (total / 5.0).round();
    let found: Vec<f64> = windows
        .iter()
        .map(|window| window.0)
        .filter(|start| {
            let rest = start % interval;
            rest.min(interval - rest) > 1e-3
        })
        .collect();
    // Pictures are looked at eight times a window: a border is off by half a look at most.
    let near = |a: f64, b: f64| (a - b).abs() <= interval / 16.0 + 0.06;
    // A cut so near the end of a window that no piece of half a second is left needs no border of its own.
    let bordered: Vec<&f64> = cuts
        .iter()
        .filter(|cut| {
            let rest = *cut % interval;
            rest.min(interval - rest) > 0.9
        })
        .collect();
    let hits = bordered.iter().filter(|cut| found.iter().any(|border| near(*border, ***cut))).count();
    let false_ones = found.iter().filter(|border| !cuts.iter().any(|cut| near(**border, *cut))).count();
    assert!(bordered.len() >= 9, "{bordered:?}");
    assert!(hits * 10 >= bordered.len() * 9, "{hits} of {} cuts found: {bordered:?} in {found:?}", bordered.len());
    assert!(
        false_ones * 10 <= found.len(),
        "{false_ones} of {} borders are no cuts: {found:?} beside {cuts:?}",
        found.len()
    );
}

#[test]
fn dark_and_equal_windows_are_not_scored() {
    let sandbox = prepare();
    shots(&sandbox, "videos/night.mp4", &[("color=black", 10.0), ("smptebars", 15.0), ("testsrc2", 5.0)]);
    let looks: Vec<String> =
        windows(&sandbox, "videos/night.mp4", &[]).iter().map(|window| window.2.to_string()).collect();
    assert_eq!(looks, ["\"d\"", "\"d\"", "{\"r\":0}", "{\"a\":0}", "{\"a\":0}", "{\"r\":1}"]);
}

#[test]
fn long_videos_are_stretched_and_windows_may_leave_gaps() {
    let sandbox = prepare();
    shots(&sandbox, "videos/long.mp4", &[("testsrc2", 120.0)]);
    let all = windows(&sandbox, "videos/long.mp4", &["--max-windows", "6"]);
    assert_eq!((all.len(), all[0].1.round(), all[5].1.round()), (6, 20.0, 120.0), "{all:?}");
    let some = windows(&sandbox, "videos/long.mp4", &["--interval", "10", "--window", "2", "--no-cuts"]);
    assert_eq!((some.len(), some[1].0.round(), some[1].1.round()), (12, 10.0, 12.0), "{some:?}");
}
