//! What a file's name says about it, for those who search folders.

use std::path::Path;

/// Endings of what lies beside videos and is none. A file that is named on the command line is always tried.
const NOT_MEDIA: [&str; 60] = [
    "7z",
    "aae",
    "ass",
    "bak",
    "bat",
    "bz2",
    "cfg",
    "conf",
    "css",
    "csv",
    "db",
    "dll",
    "doc",
    "docx",
    "epub",
    "exe",
    "gz",
    "htm",
    "html",
    "idx",
    "ini",
    "jsonl",
    "js",
    "json",
    "license",
    "lnk",
    "lock",
    "log",
    "md",
    "md5",
    "nfo",
    "odt",
    "par2",
    "part",
    "pdf",
    "ps1",
    "py",
    "rar",
    "rs",
    "rst",
    "safetensors",
    "sfv",
    "sh",
    "sha256",
    "so",
    "sqlite",
    "srt",
    "ssa",
    "sub",
    "tar",
    "toml",
    "torrent",
    "tsv",
    "txt",
    "url",
    "vtt",
    "xml",
    "xmp",
    "xz",
    "yaml",
];

/// Whether a name ends like those of files that lie beside videos and are none. Other names say nothing: only opening a file
/// tells what it is.
pub fn is_no_media(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase);
    ending.is_some_and(|ending| NOT_MEDIA.contains(&ending.as_str()))
}
