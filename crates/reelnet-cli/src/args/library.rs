//! The words of `reelnet library`.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{OpeningArgs, ScoringArgs, SidecarsArgs, probability, seconds};

#[derive(Debug, Args)]
#[command(
    after_help = "A first time: `reelnet library add ~/Videos`, `reelnet library run`, `reelnet library search dog`.\n\
    The store is a file in the user's data folder, unless --store or the variable REELNET_STORE names another one."
)]
pub(crate) struct LibraryArgs {
    /// Where the library's store is: a file (SQLite), or `postgres://user@host/database` for several machines
    #[arg(long, value_name = "PLACE", global = true)]
    pub(crate) store: Option<String>,
    #[command(subcommand)]
    pub(crate) command: LibraryCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LibraryCommand {
    /// Take folders into the library, and look what is in them
    Add(AddArgs),
    /// Look what is new, changed, moved or gone in the library's folders
    Scan(ScanArgs),
    /// Tag what waits for it; any number of these may run at once
    Work(LibraryWorkArgs),
    /// Scan and work, once or for ever with --watch
    Run(LibraryRunArgs),
    /// How far it is: counts, failures by reason, speed, time left
    Status(JsonArgs),
    /// Find files by what is to be seen in them: `dog AND (beach OR "sea shore") NOT cat`
    Search(SearchArgs),
    /// Everything about a file: its tags with their times, its places, what people said
    Show(ShowArgs),
    /// Labels that were found, and in how many files
    Labels(LabelsArgs),
    /// Show or change how scores become tags; nothing is decoded again
    Settings(SettingsArgs),
    /// Write all tags for other programs
    Export(ExportArgs),
    /// Show the library as a web page on this machine: search, watch, and with --edit correct
    Serve(ServeArgs),
    /// Write tags into sidecars for digiKam, Kodi, Jellyfin, Hydrus and others; without --apply it is only told what would be
    Sidecars(SidecarsArgs),
    /// List files that failed
    Failures(FailuresArgs),
    /// Put failed files back into the queue
    Retry(RetryArgs),
    /// Forget files that are gone, a folder, or a model with its scores; no file is ever touched
    Forget(ForgetArgs),
    /// Check the store and the library's folders
    Doctor(JsonArgs),
    /// Let all workers wait after the files that they have
    Pause,
    /// Let them go on
    Resume,
}

#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// Folders, or addresses in object stores, such as `s3://bucket/films`; also `gs://`, `az://`, and `http://` for servers that list their files
    #[arg(required = true, value_name = "DIR")]
    pub(crate) folders: Vec<PathBuf>,
    /// Only add them; look later
    #[arg(long)]
    pub(crate) no_scan: bool,
    #[command(flatten)]
    pub(crate) rules: RulesArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RulesArgs {
    /// Only files that fit, in the syntax of .gitignore, such as '*.mp4'; may be repeated
    #[arg(long, value_name = "GLOB")]
    pub(crate) include: Vec<String>,
    /// No files and folders that fit; may be repeated. A file .reelignore in a folder does the same, .nomedia leaves out all of it
    #[arg(long, value_name = "GLOB")]
    pub(crate) exclude: Vec<String>,
    /// Tell files by every byte, not by their size, start, middle and end; for a library that is begun so
    #[arg(long)]
    pub(crate) whole_hash: bool,
    /// Believe that a folder of the library that is empty now was emptied; otherwise its disk counts as not mounted
    #[arg(long)]
    pub(crate) empty_roots: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ScanArgs {
    /// Folders of the library [default: all]
    #[arg(value_name = "DIR")]
    pub(crate) folders: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) rules: RulesArgs,
    /// One JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub(crate) struct LibraryWorkArgs {
    /// Bundle to tag with, a folder or the name of a pulled one [default: EfficientNet-Lite0 on ImageNet, built in]
    #[arg(long, value_name = "DIR")]
    pub(crate) model: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) windows: WindowArgs,
    /// Files at once [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) jobs: Option<u16>,
    /// Threads that the network of one file computes with [default: its share of the cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    #[command(flatten)]
    pub(crate) scoring: ScoringArgs,
    #[command(flatten)]
    pub(crate) opening: OpeningArgs,
    /// Begin no file after so many hours
    #[arg(long, value_name = "HOURS", value_parser = hours)]
    pub(crate) max_hours: Option<f64>,
    /// Only this part of the library, such as 1/4: by the files' hashes, so that parts share nothing
    #[arg(long, value_name = "I/N", value_parser = shard)]
    pub(crate) shard: Option<(u64, u64)>,
    /// Oldest files first, not the newest
    #[arg(long)]
    pub(crate) oldest_first: bool,
    /// Leave the processor to others
    #[arg(long)]
    pub(crate) nice: bool,
    /// Seconds after which a silent worker's files go to others
    #[arg(long, default_value_t = 60, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) lease: u64,
    /// Seconds to wait for a database that is away, or for room on its disk
    #[arg(long, default_value_t = 600, value_name = "SECONDS")]
    pub(crate) patience: u64,
    /// Say what became of each file
    #[arg(long, short)]
    pub(crate) verbose: bool,
    /// What was done, as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// What is looked at. Another choice is another model: what was scored with one is not redone for the other.
#[derive(Clone, Debug, Args)]
pub(crate) struct WindowArgs {
    /// Seconds from the start of one window to that of the next one
    #[arg(long, default_value_t = 5.0, value_name = "SECONDS", value_parser = some_seconds)]
    pub(crate) interval: f64,
    /// Seconds of a window, at most the interval [default: the interval]
    #[arg(long, value_name = "SECONDS", value_parser = some_seconds)]
    pub(crate) window: Option<f64>,
    /// Windows of a file at most; the interval of longer files is stretched
    #[arg(long, default_value_t = 240, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) max_windows: u32,
    /// Do not look for cuts between shots: less has to be decoded
    #[arg(long)]
    pub(crate) no_cuts: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LibraryRunArgs {
    #[command(flatten)]
    pub(crate) work: LibraryWorkArgs,
    #[command(flatten)]
    pub(crate) rules: RulesArgs,
    /// Go on for ever: tag what comes, as it comes
    #[arg(long)]
    pub(crate) watch: bool,
    /// With --watch: scan every so many minutes in any case, for network shares, which tell nothing of changes
    #[arg(long, default_value_t = 15, value_name = "MINUTES", value_parser = clap::value_parser!(u64).range(1..=10_080))]
    pub(crate) rescan: u64,
}

#[derive(Debug, Args)]
pub(crate) struct JsonArgs {
    /// One JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SearchArgs {
    /// Labels and AND, OR, NOT, parentheses; `dog` is any dog or a word of a label, `dog*` begins one, `"dog"` in quotes is a whole one
    #[arg(required = true, value_name = "QUERY")]
    pub(crate) query: Vec<String>,
    /// Files written on this day or later
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    pub(crate) after: Option<f64>,
    /// Files written before this day
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    pub(crate) before: Option<f64>,
    /// Score that a label needs at least
    #[arg(long, value_name = "P", default_value_t = 0.0, value_parser = probability)]
    pub(crate) min_score: f32,
    /// Part of the path
    #[arg(long, value_name = "TEXT")]
    pub(crate) path: Option<String>,
    /// Also files that are no longer there
    #[arg(long)]
    pub(crate) gone: bool,
    /// Files at most
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) limit: u32,
    /// Files to leave out, best first
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(crate) offset: u64,
    /// Whose tags: number, name or beginning of the hash [default: the newest model]
    #[arg(long, value_name = "MODEL")]
    pub(crate) by: Option<String>,
    /// One JSON object a file
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// A file that is or was in the library
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// One JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LabelsArgs {
    /// Instead, the everyday words that `search` takes for groups of ImageNet's labels; needs no library
    #[arg(long, conflicts_with_all = ["by", "limit"])]
    pub(crate) groups: bool,
    /// Whose tags [default: the newest model's]
    #[arg(long, value_name = "MODEL")]
    pub(crate) by: Option<String>,
    /// Labels at most
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub(crate) limit: u32,
    /// One JSON array
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SettingsArgs {
    /// Of which model [default: the newest]
    #[arg(long, value_name = "MODEL")]
    pub(crate) by: Option<String>,
    /// Probability that opens a span
    #[arg(long, value_name = "P", value_parser = probability)]
    pub(crate) threshold: Option<f32>,
    /// A label's own threshold; may be repeated
    #[arg(long, value_name = "LABEL=P", value_parser = label_threshold)]
    pub(crate) label: Vec<(String, f32)>,
    /// Share of the threshold that lets a span go on
    #[arg(long, value_name = "SHARE", value_parser = probability)]
    pub(crate) hysteresis: Option<f32>,
    /// Seconds that a span lasts at least
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) min_seconds: Option<f64>,
    /// Seconds between two spans of one label that are one
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) max_gap: Option<f64>,
    /// Labels of a file at most
    #[arg(long, value_name = "N")]
    pub(crate) top: Option<usize>,
    /// Divides logits: above 1, scores are less sure
    #[arg(long, value_name = "T")]
    pub(crate) temperature: Option<f64>,
}

/// What `export` writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// One JSON object a file
    Jsonl,
    /// One row a span
    Csv,
    /// One row a span, for pyarrow, polars and others
    Parquet,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// What to write
    #[arg(long, value_enum, default_value_t = ExportFormat::Jsonl)]
    pub(crate) format: ExportFormat,
    /// File to write [default: stdout]
    #[arg(long, value_name = "FILE", required_if_eq("format", "parquet"))]
    pub(crate) out: Option<PathBuf>,
    /// Whose tags [default: the newest model's]
    #[arg(long, value_name = "MODEL")]
    pub(crate) by: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Address to listen at; one that other machines reach needs a token
    #[arg(long, default_value = "127.0.0.1", value_name = "IP")]
    pub(crate) address: IpAddr,
    /// Port to listen at; 0 for any free one
    #[arg(long, default_value_t = 8765, value_name = "PORT")]
    pub(crate) port: u16,
    /// Secret that whoever opens the page has to know
    #[arg(
        long,
        value_name = "TOKEN",
        long_help = "Secret that whoever opens the page has to know; in the variable REELNET_TOKEN other users of the machine do not see it"
    )]
    pub(crate) token: Option<String>,
    /// Let people say what is to be seen
    #[arg(long)]
    pub(crate) edit: bool,
}

#[derive(Debug, Args)]
pub(crate) struct FailuresArgs {
    /// By which model [default: the newest]
    #[arg(long, value_name = "MODEL")]
    pub(crate) by: Option<String>,
    /// Files at most
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) limit: u32,
    /// One JSON object a file
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RetryArgs {
    /// Of which model [default: all]
    #[arg(long, value_name = "MODEL")]
    pub(crate) by: Option<String>,
    /// Only those that failed for this reason, as `status` names it
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Option<String>,
    /// Also files that were scored although they are damaged
    #[arg(long)]
    pub(crate) damaged: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct ForgetArgs {
    /// Files that are no longer there, with their scores
    #[arg(long)]
    pub(crate) gone: bool,
    /// A folder of the library
    #[arg(long, value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
    /// A model with all its scores
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<String>,
}

fn hours(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(hours) if hours.is_finite() && hours > 0.0 => Ok(hours),
        _ => Err(format!("`{text}` is no time, expected hours, such as 6 or 0.5")),
    }
}

fn some_seconds(text: &str) -> Result<f64, String> {
    match seconds(text) {
        Ok(value) if value >= 0.1 => Ok(value),
        _ => Err(format!("`{text}` is no length of time, expected seconds from 0.1 on, such as 5")),
    }
}

fn shard(text: &str) -> Result<(u64, u64), String> {
    let shard: reelnet_infer::evaluation::Shard = text.parse()?;
    Ok((shard.number - 1, shard.of))
}

fn label_threshold(text: &str) -> Result<(String, f32), String> {
    let (label, value) = text
        .rsplit_once('=')
        .ok_or_else(|| format!("`{text}` is no threshold, expected LABEL=P, such as beach=0.5"))?;
    Ok((label.to_owned(), probability(value)?))
}

/// Midnight in UTC at the start of a day, in seconds since 1970.
fn day(text: &str) -> Result<f64, String> {
    let wrong = || format!("`{text}` is no day, expected one such as 2026-11-24");
    let parts: Vec<i64> = text.split('-').map(str::parse).collect::<Result<_, _>>().map_err(|_| wrong())?;
    let [year, month, day] = parts[..] else { return Err(wrong()) };
    if !(1900..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return Err(wrong());
    }
    // Days from civil, by Howard Hinnant: years begin in March, eras have 400 years.
    let shifted = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (shifted.div_euclid(400), shifted.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    Ok((days * 86_400) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_parts() {
        assert_eq!(day("1970-01-01"), Ok(0.0));
        assert_eq!(day("2000-03-01"), Ok(951_868_800.0));
        assert_eq!(day("2026-11-24"), Ok(1_795_478_400.0));
        for bad in ["", "yesterday", "2026-13-01", "2026-1", "1-1-1"] {
            assert!(day(bad).is_err(), "{bad}");
        }
        assert_eq!(shard("2/3"), Ok((1, 3)));
        assert_eq!(label_threshold("a=b=0.5"), Ok(("a=b".to_owned(), 0.5)));
        assert!(some_seconds("0").is_err() && hours("-1").is_err());
    }
}
