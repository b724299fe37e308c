//! The page of an evaluation: one file, which asks nobody for anything. Tables sort and filter by mouse and by keyboard.

use std::collections::BTreeMap;
use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use reelnet_infer::evaluation::{Bin, Failed, Interval, Summary, Sweep, Worst};

use super::chart::{Chart, Series};
use super::curves::Confused;
use super::{confusion, escaped};

/// Failed files that are told one by one; a table beside the page has all of them.
const FAILED: usize = 50;
/// What a page may load: itself.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";

const STYLE: &str = include_str!("evaluation.css");
const SCRIPT: &str = include_str!("evaluation.js");

/// A small picture of a video: a PNG.
#[derive(Clone, Debug)]
pub struct Thumbnail(pub Vec<u8>);

/// The page of an evaluation. Thumbnails are of the worst videos, by their names.
pub fn evaluation_page(summary: &Summary, sweep: &Sweep, thumbnails: &BTreeMap<String, Thumbnail>) -> String {
    let title = format!("{} on {}", summary.header.model.name, summary.header.data.name);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <style>{STYLE}{confusion}</style></head>\n<body><main>\n<h1>{title}</h1>\n",
        title = escaped(&title),
        confusion = confusion::STYLE,
    );
    page += &headline(summary);
    page += &coverage(summary);
    page += &measured(summary);
    page += &curves(summary, sweep);
    page += &calibration(&summary.calibration.bins, summary.calibration.error);
    page += &classes(summary);
    let classes = summary.header.labels.clone();
    if !summary.confusion.is_empty() {
        let counts = summary.confusion.clone();
        page += &confusion::section(&Confused { set: "video by video".to_owned(), classes, counts });
    }
    page += &worst(summary, thumbnails);
    page += &failed(&summary.failed);
    let _ = writeln!(page, "</main><script>{SCRIPT}</script></body></html>");
    page
}

fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

fn headline(summary: &Summary) -> String {
    let video = &summary.video_level;
    let card = |name: &str, share: f64, interval: Option<Interval>, more: &str| {
        let interval =
            interval.map_or_else(String::new, |of| format!("95 %: {} to {}<br>", percent(of.low), percent(of.high)));
        format!(
            "<div class=\"card\"><span>{name}</span><b>{}</b><small>{interval}{more}</small></div>\n",
            percent(share)
        )
    };
    let listed = |share: f64| format!("of all listed: {}", percent(share));
    let mut html = "<div class=\"cards\">\n".to_owned();
    html += &card("top-1, video level", video.top1, Some(video.intervals.top1), &listed(video.top1_of_listed));
    html += &card("top-5, video level", video.top5, Some(video.intervals.top5), &listed(video.top5_of_listed));
    html += &card("mean over classes", video.mean_class_accuracy, Some(video.intervals.mean_class), "");
    if summary.clip_level.views > 0 {
        let top5 = format!("top-5: {}", percent(summary.clip_level.top5));
        html += &card("top-1, each view alone", summary.clip_level.top1, None, &top5);
    }
    html += &summary
        .multi_label
        .as_ref()
        .map_or_else(String::new, |many| card("mean average precision", many.mean_average_precision, None, ""));
    html + "</div>\n"
}

fn coverage(summary: &Summary) -> String {
    let coverage = &summary.coverage;
    let mut html = "<h2>coverage</h2>\n".to_owned();
    if coverage.scored < coverage.listed {
        let _ = writeln!(
            html,
            "<p class=\"warning\">{} of {} listed files have no scores. The numbers above are of the others.</p>",
            coverage.listed - coverage.scored,
            coverage.listed
        );
    }
    let parts = [
        ("scored", coverage.scored, "#0072b2"),
        ("missing", coverage.missing, "#d55e00"),
        ("unreadable", coverage.unreadable, "#e69f00"),
        ("not tried yet", coverage.left, "#999"),
    ];
    let width = |count: u64| 1000.0 * count as f64 / coverage.listed.max(1) as f64;
    html +=
        "<svg viewBox=\"0 0 1000 24\" role=\"img\" aria-label=\"coverage\" preserveAspectRatio=\"none\" class=\"bar\">";
    let mut left = 0.0;
    for (_, count, colour) in parts {
        let _ = write!(html, "<rect x=\"{left:.1}\" width=\"{:.1}\" height=\"24\" fill=\"{colour}\"/>", width(count));
        left += width(count);
    }
    html += "</svg>\n<p>";
    for (name, count, colour) in parts {
        let _ = write!(html, "<span class=\"key\"><i style=\"background:{colour}\"></i>{name} {count}</span> ");
    }
    let _ = writeln!(
        html,
        "of {} listed; {} shorter than a clip; {} listed again.</p>",
        coverage.listed, coverage.short, coverage.repeated
    );
    html
}

fn measured(summary: &Summary) -> String {
    let header = &summary.header;
    let rows = [
        ("model", format!("{} in {}", header.model.name, header.model.precision)),
        ("model's SHA-256", header.model.sha256.clone()),
        ("views", header.views.to_string()),
        ("list's SHA-256", header.data.sha256.clone()),
        ("scored files' SHA-256", summary.fingerprint.files.clone()),
        ("fingerprint of all", summary.fingerprint.all.clone()),
        ("decoder", header.decoder.clone()),
        ("reelnet", header.reelnet.clone()),
        ("cost of a video", format!("{:.2} G multiply-accumulates", summary.cost.macs_a_video / 1e9)),
        ("time", format!("{:.1} s, {:.1} videos a minute", summary.cost.seconds, summary.cost.videos_a_minute)),
    ];
    let mut html = "<h2>what was measured</h2>\n<table class=\"facts\">\n".to_owned();
    for (name, value) in rows {
        let _ = writeln!(html, "<tr><th scope=\"row\">{name}<td>{}", escaped(&value));
    }
    html + "</table>\n"
}

fn curves(summary: &Summary, sweep: &Sweep) -> String {
    if sweep.views.len() < 2 {
        return String::new();
    }
    let of = |value: fn(&reelnet_infer::evaluation::SweepPoint) -> f64| -> Vec<[f64; 2]> {
        sweep.views.iter().map(|point| [point.views as f64, value(point)]).collect()
    };
    let (top1, top5) = (of(|point| point.top1), of(|point| point.top5));
    let exits: Vec<[f64; 2]> = sweep.exits.iter().map(|exit| [exit.views, exit.top1]).collect();
    let series = vec![
        Series::new("top-1", &top1),
        Series::new("top-5", &top5),
        Series::new("top-1, sure ones left early", &exits),
    ];
    let chart = Chart { title: "fewer views", axis: "views", series }.svg();
    format!(
        "<h2>accuracy against views</h2>\n<p>Views in an order that spreads them; each costs {:.2} G multiply-accumulates.</p>\n\
         <div class=\"wide\">{chart}</div>",
        summary.header.model.macs as f64 / 1e9
    )
}

/// Accuracy against confidence, a bar a bin, with the line on which both are the same.
fn calibration(bins: &[Bin], error: f64) -> String {
    const SIDE: f64 = 240.0;
    let mut html = format!(
        "<h2>confidence</h2>\n<p>Expected calibration error {}. Bars below the line: surer than right.</p>\n\
         <svg viewBox=\"-40 -8 300 280\" class=\"square\" role=\"img\" aria-label=\"accuracy against confidence\" font-size=\"11\">\n",
        percent(error)
    );
    let width = SIDE / bins.len().max(1) as f64;
    for (place, bin) in bins.iter().enumerate().filter(|(_, bin)| bin.videos > 0) {
        let share = bin.right as f64 / bin.videos as f64;
        let _ = writeln!(
            html,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"#0072b2\"><title>{} videos, {} right</title></rect>",
            place as f64 * width + 1.0,
            SIDE * (1.0 - share),
            width - 2.0,
            SIDE * share,
            bin.videos,
            percent(share)
        );
    }
    html += "<path d=\"M0 240L240 0\" stroke=\"#d55e00\" stroke-dasharray=\"4 3\"/><path d=\"M0 0V240H240\" stroke=\"#555\" fill=\"none\"/>\n";
    for (at, name) in [(0.0, "0"), (0.5, "0.5"), (1.0, "1")] {
        let _ = writeln!(
            html,
            "<text x=\"{:.0}\" y=\"255\" text-anchor=\"middle\">{name}</text><text x=\"-6\" y=\"{:.0}\" text-anchor=\"end\">{name}</text>",
            SIDE * at,
            SIDE * (1.0 - at) + 4.0
        );
    }
    html + "<text x=\"120\" y=\"270\" text-anchor=\"middle\">confidence of the best class</text></svg>\n"
}

fn classes(summary: &Summary) -> String {
    let mut html = "<h2>classes</h2>\n<label>Filter <input type=\"search\" data-filter=\"classes\" placeholder=\"name of a class\"></label>\n\
        <div class=\"wide\"><table id=\"classes\" class=\"sortable\"><thead><tr>"
        .to_owned();
    for name in ["class", "videos", "top-1", "top-5"] {
        let _ = write!(html, "<th scope=\"col\"><button type=\"button\">{name}</button></th>");
    }
    html += "</tr></thead><tbody>\n";
    for class in summary.classes.iter().filter(|class| class.counts.videos > 0) {
        let share = |count: u64| count as f64 / class.counts.videos as f64;
        let [top1, top5] = [share(class.counts.top1), share(class.counts.top5)];
        let _ = writeln!(
            html,
            "<tr><th scope=\"row\">{}</th><td data-value=\"{}\">{}</td><td data-value=\"{top1}\">{}</td><td data-value=\"{top5}\">{}</td></tr>",
            escaped(&class.label),
            class.counts.videos,
            class.counts.videos,
            percent(top1),
            percent(top5)
        );
    }
    html + "</tbody></table></div>\n"
}

fn worst(summary: &Summary, thumbnails: &BTreeMap<String, Thumbnail>) -> String {
    if summary.worst.is_empty() {
        return String::new();
    }
    let label = |class: usize| summary.header.labels.get(class).map_or_else(String::new, |label| escaped(label));
    let mut html = "<h2>the worst videos</h2>\n<div class=\"worst\">\n".to_owned();
    for Worst { name, labels, score, best } in &summary.worst {
        html += "<figure>";
        if let Some(Thumbnail(png)) = thumbnails.get(name) {
            let _ = write!(html, "<img alt=\"\" src=\"data:image/png;base64,{}\">", BASE64.encode(png));
        }
        let is = labels.iter().map(|&class| label(class)).collect::<Vec<_>>().join(", ");
        let _ = write!(html, "<figcaption><b>{is}</b> {:.1} %<small>{}</small><ol>", 100.0 * score, escaped(name));
        for score in best {
            let _ = write!(html, "<li>{} {:.1} %", label(score.class), 100.0 * score.score);
        }
        html += "</ol></figcaption></figure>\n";
    }
    html + "</div>\n"
}

fn failed(files: &[Failed]) -> String {
    if files.is_empty() {
        return String::new();
    }
    let mut html =
        "<h2>files without scores</h2>\n<div class=\"wide\"><table><tr><th>file<th>kind<th>reason\n".to_owned();
    for Failed { name, kind, reason, .. } in files.iter().take(FAILED) {
        let _ = writeln!(html, "<tr><td>{}<td>{}<td>{}", escaped(name), escaped(kind), escaped(reason));
    }
    html += "</table></div>\n";
    if files.len() > FAILED {
        let _ = writeln!(html, "<p>And {} more, in failed.csv beside this page.</p>", files.len() - FAILED);
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_the_script_or_the_style_comes_from_elsewhere() {
        for text in [SCRIPT, STYLE] {
            assert!(!text.contains("http") && !text.contains("url(") && !text.contains("import"), "{text}");
            assert!(!text.contains("</"), "it would end the element that it stands in");
        }
    }
}
