//! Which class was taken for which: a matrix where it can be seen, and the most frequent mistakes.

use std::fmt::Write;

use super::curves::Confused;
use super::escaped;

/// Classes that a matrix is drawn for.
const DRAWN: usize = 60;
/// Mistakes that are told.
const TOLD: usize = 10;
/// Shares that are written in light instead of dark.
const DARK: f64 = 0.5;

/// How a matrix looks. Names of columns are turned, so that columns stay narrow.
pub(super) const STYLE: &str = ".confusion{border-collapse:collapse;font-size:11px}\
    .confusion td,.confusion th{padding:0 .3em;height:1.9em;min-width:1.6em;border:1px solid #e4e4e4;white-space:nowrap}\
    .confusion td{text-align:center}.confusion .turned{writing-mode:vertical-rl;transform:rotate(180deg);padding:.4em 0}\
    .confusion .own{outline:1px solid #555;outline-offset:-1px}";

/// A heading, the matrix and the mistakes.
pub(super) fn section(confused: &Confused) -> String {
    let mut html = format!("<h2>which class was taken for which, {}</h2>\n", escaped(&confused.set));
    if confused.classes.len() <= DRAWN {
        html += &matrix(confused);
    }
    html += &mistakes(confused);
    html
}

/// A row a class, a column what its files were taken for; the darker, the more of them.
fn matrix(confused: &Confused) -> String {
    let Confused { classes, counts, .. } = confused;
    let mut html = "<p>A row is what files are, a column what they were taken for.</p>\n\
        <div class=\"wide\"><table class=\"confusion\">\n<tr><th>"
        .to_owned();
    for class in classes {
        let _ = write!(html, "<th><span class=\"turned\">{}</span>", escaped(class));
    }
    html.push('\n');
    for (is, class) in classes.iter().enumerate() {
        let _ = write!(html, "<tr><th>{}", escaped(class));
        let files = counts.files_of(is);
        for (taken_for, other) in classes.iter().enumerate() {
            let count = counts.count(is, taken_for);
            let own = if is == taken_for { " class=\"own\"" } else { "" };
            if count == 0 {
                let _ = write!(html, "<td{own}>");
                continue;
            }
            let share = count as f64 / files as f64;
            let text = if share > DARK { ";color:#fff" } else { "" };
            let _ = write!(
                html,
                "<td{own} style=\"background:{}{text}\" title=\"{} taken for {}: {count} of {files}\">{count}",
                colour(share),
                escaped(class),
                escaped(other),
            );
        }
        html.push('\n');
    }
    html + "</table></div>\n"
}

/// From white to blue; the root lets single mistakes be seen.
fn colour(share: f64) -> String {
    let [red, green, blue] = [0, 114, 178].map(|full| 255.0 + (f64::from(full) - 255.0) * share.sqrt());
    format!("rgb({red:.0},{green:.0},{blue:.0})")
}

fn mistakes(confused: &Confused) -> String {
    let Confused { classes, counts, .. } = confused;
    let all = counts.mistakes();
    if all.is_empty() {
        return "<p>No file was taken for what it is not.</p>\n".to_owned();
    }
    let name = |class: usize| classes.get(class).map(|name| escaped(name)).unwrap_or_default();
    let mut html = "<h3>the most frequent mistakes</h3>\n<table>\n<tr><th>class<th>taken for<th>files\n".to_owned();
    for &(is, taken_for, count) in all.iter().take(TOLD) {
        let files = counts.files_of(is);
        let percent = 100.0 * count as f64 / files as f64;
        let (is, taken_for) = (name(is), name(taken_for));
        let _ = writeln!(html, "<tr><td>{is}<td>{taken_for}<td>{count} of {files} ({percent:.1} %)");
    }
    html + "</table>\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use reelnet_infer::evaluation::Confusion;

    fn confused(classes: usize, pairs: &[(usize, usize)]) -> Confused {
        let mut counts = Confusion::default();
        for &(is, taken_for) in pairs {
            counts.add(is, taken_for);
        }
        let classes = (0..classes).map(|class| format!("<{class}>")).collect();
        Confused { set: "test".to_owned(), classes, counts }
    }

    #[test]
    fn every_count_stands_in_its_row() {
        let html = section(&confused(3, &[(0, 0), (0, 0), (0, 2), (1, 0), (2, 2)]));
        let rows: Vec<&str> = html.lines().filter(|line| line.starts_with("<tr><th>&lt;")).collect();
        assert_eq!(rows.len(), 3);
        for cell in ["&lt;0&gt; taken for &lt;0&gt;: 2 of 3", "&lt;0&gt; taken for &lt;2&gt;: 1 of 3"] {
            assert!(rows[0].contains(cell), "{}", rows[0]);
        }
        assert!(
            rows[1].contains("rgb(0,114,178);color:#fff\" title=\"&lt;1&gt; taken for &lt;0&gt;: 1 of 1"),
            "{}",
            rows[1]
        );
        assert!(rows.iter().all(|row| row.matches("<td").count() == 3 && row.matches("class=\"own\"").count() == 1));
        assert!(html.contains("<tr><td>&lt;0&gt;<td>&lt;2&gt;<td>1 of 3 (33.3 %)"), "{html}");
        assert!(!html.contains("<0>"));
    }

    #[test]
    fn many_classes_have_mistakes_and_no_matrix() {
        let html = section(&confused(400, &[(399, 7), (399, 399), (3, 3)]));
        assert!(!html.contains("confusion"), "{html}");
        assert!(html.contains("<tr><td>&lt;399&gt;<td>&lt;7&gt;<td>1 of 2 (50.0 %)"), "{html}");
        assert!(section(&confused(2, &[(0, 0)])).contains("No file was taken for what it is not"));
    }
}
