//! `reelnet model pull` against a hub on this machine.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use reelnet_models::NetworkName;
use reelnet_models::weights::StateDict;
use reelnet_tests::command::{Ended, Sandbox};
use sha2::{Digest, Sha256};

use crate::REELNET;

/// A hub that knows one file, and says of it what it is told to say.
pub(crate) struct Hub {
    pub(crate) endpoint: String,
}

/// Where the weights of EfficientNet-B0 are in a hub.
const B0: &str = "/timm/tf_efficientnet_b0.aa_in1k/resolve/main/model.safetensors";

impl Hub {
    /// Serves until the test ends; `etag` is what the hub claims as the file's SHA-256.
    fn serve(file: Vec<u8>, etag: String) -> Self {
        Self::serve_as(B0, file, etag)
    }

    /// Serves one file at a path, as a plain server.
    pub(crate) fn serve_at(path: &'static str, file: Vec<u8>) -> Self {
        Self::serve_as(path, file, String::new())
    }

    fn serve_as(path: &'static str, file: Vec<u8>, etag: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let file = Arc::new(file);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (file, etag) = (Arc::clone(&file), etag.clone());
                thread::spawn(move || answer(stream, path, &file, &etag));
            }
        });
        Self { endpoint }
    }

    fn pull(&self, sandbox: &Sandbox, name: &str) -> Ended {
        Ended::of(sandbox.command(["model", "pull", name]).env("HF_ENDPOINT", &self.endpoint))
    }
}

fn answer(mut stream: TcpStream, path: &str, file: &[u8], etag: &str) {
    let mut lines = BufReader::new(stream.try_clone().expect("a second handle")).lines().map_while(Result::ok);
    let request = lines.next().unwrap_or_default();
    let headers: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let known = request.contains(&format!("{path} "));
    // `Range: bytes=START-[END]`
    let range =
        headers.iter().find_map(|line| line.to_ascii_lowercase().strip_prefix("range: bytes=").map(str::to_owned));
    let (start, end) = range.as_deref().and_then(|range| range.split_once('-')).unwrap_or(("0", ""));
    let start: usize = start.parse().unwrap_or(0);
    let end: usize = end.parse::<usize>().map_or(file.len(), |last| last + 1).min(file.len());
    let head = if known {
        format!(
            "HTTP/1.1 206 Partial Content\r\netag: \"{etag}\"\r\nx-repo-commit: 0123\r\ncontent-range: bytes {start}-{}/{}\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n",
            end - 1,
            file.len(),
            end - start
        )
    } else {
        "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned()
    };
    // A client that hangs up is its own affair.
    let _ = stream.write_all(head.as_bytes());
    if known {
        let _ = stream.write_all(&file[start..end]);
    }
}

fn weights() -> Vec<u8> {
    let name: NetworkName = "efficientnet-b0".parse().expect("a good name");
    let network = name.config().build(1, &burn::tensor::Device::flex()).expect("a good config");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("w.safetensors");
    StateDict::of(&network).write(&path).expect("the disk has room");
    std::fs::read(path).expect("what was just written")
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn weights_are_fetched_once_checked_and_found_by_name() {
    let file = weights();
    let hub = Hub::serve(file.clone(), sha256(&file));
    let sandbox = Sandbox::new(REELNET);
    let first = hub.pull(&sandbox, "efficientnet-b0").expect_code(0);
    assert!(
        first.stderr.contains("pulled `efficientnet-b0` from hub repository timm/tf_efficientnet_b0.aa_in1k"),
        "{}",
        first.stderr
    );
    // The second time neither the hub nor the network is needed.
    let second = sandbox.run(["model", "pull", "efficientnet-b0"]).expect_code(0);
    assert!(second.stderr.contains("there already"), "{}", second.stderr);
    assert_eq!(first.stdout, second.stdout);
    let other = sandbox.run(["model", "pull", "efficientnet-b0", "--out", "copy"]).expect_code(0);
    assert!(other.stderr.contains("pulled"), "the cache has it: {}", other.stderr);
    // `--model NAME` finds it: what fails is the video.
    let tagged = sandbox.run(["tag", "--model", "efficientnet-b0", "absent.mp4"]).expect_code(1);
    assert!(tagged.stdout.contains("no such file"), "{}", tagged.stdout);
}

#[test]
fn a_damaged_file_is_refused_and_removed() {
    let file = weights();
    let hub = Hub::serve(file, "0".repeat(64));
    let sandbox = Sandbox::new(REELNET);
    for _ in 0..2 {
        let ended = hub.pull(&sandbox, "efficientnet-b0").expect_code(2);
        assert!(ended.stderr.contains("arrived damaged"), "{}", ended.stderr);
    }
}

#[test]
fn without_a_network_the_message_says_what_to_do() {
    let sandbox = Sandbox::new(REELNET);
    let ended = sandbox.run(["model", "pull", "resnet-rs-50"]).expect_code(2);
    for part in ["timm/resnetrs50.tf_in1k", "check the network", "HF_ENDPOINT", "reelnet import"] {
        assert!(ended.stderr.contains(part), "{}", ended.stderr);
    }
    let ended = sandbox.run(["model", "pull", "resnet3d-rs-50"]).expect_code(2);
    assert!(ended.stderr.contains("nobody published weights"), "{}", ended.stderr);
}
