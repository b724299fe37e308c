//! The validation images of ImageNet as they are distributed.

use std::collections::HashMap;
use std::path::Path;

use reelnet_clips::is_no_media;

use super::error::{DataError, DataErrorKind as Kind};
use super::folders::{self, text_of};
use super::label_map::is_synset;
use super::rows::{Row, Rows};
use super::text;

/// One row an image.
pub(super) fn rows(root: &Path, images: &Path, truth: &Path, synsets: Option<&Path>) -> Result<Rows, DataError> {
    let (folder, truth) = (root.join(images), root.join(truth));
    let files = folders::files(&folder)?;
    let listed = files.len();
    let files: Vec<_> = files.into_iter().filter(|file| !is_no_media(file)).collect();
    let text = text::read(&truth)?;
    let is_solution = text.lines().next().is_some_and(|line| line.starts_with("ImageId,"));
    let words = if is_solution { of_solution(&text, &files) } else { of_lines(&text, files.len()) };
    let words = words.map_err(|kind| kind.at(&truth))?;
    let words = with_synsets(words, root, synsets, &truth)?;
    let mut rows = Rows { passed_over: listed - files.len(), ..Rows::default() };
    for (file, label) in files.into_iter().zip(words) {
        let name = text_of(file.strip_prefix(root).unwrap_or(&file), &file)?;
        rows.listed.push(Row::file(name, file, label));
    }
    Ok(rows)
}

/// A line an image, in the order of the images' names.
fn of_lines(text: &str, images: usize) -> Result<Vec<String>, Kind> {
    let words: Vec<String> = text::lines(text).map(|(_, line)| line.trim().to_owned()).collect();
    if words.len() == images {
        return Ok(words);
    }
    Err(Kind::Form(format!("it has {} lines, and there are {images} images, expected a line an image", words.len())))
}

/// `ILSVRC2012_val_00048981,n03995372 85 1 499 272 …`, in any order.
fn of_solution(text: &str, files: &[std::path::PathBuf]) -> Result<Vec<String>, Kind> {
    let mut synsets = HashMap::new();
    for (line, row) in text::lines(text).skip(1) {
        let (image, boxes) = row.split_once(',').ok_or_else(|| Kind::Line {
            line,
            why: "it has one column, expected ImageId,PredictionString".to_owned(),
        })?;
        synsets.insert(image.trim(), boxes.split_whitespace().next().unwrap_or_default());
    }
    let synset = |file: &std::path::PathBuf| {
        let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let found = synsets.get(stem).map(|synset| (*synset).to_owned());
        found.ok_or_else(|| Kind::Form(format!("it has no row for the image `{stem}`")))
    };
    files.iter().map(synset).collect()
}

/// Numbers of the development kit become synsets; synsets stay.
fn with_synsets(
    words: Vec<String>,
    root: &Path,
    synsets: Option<&Path>,
    truth: &Path,
) -> Result<Vec<String>, DataError> {
    if words.iter().all(|word| is_synset(word)) {
        return Ok(words);
    }
    let Some(synsets) = synsets else {
        let why = "it holds numbers of the development kit, which are in the order of nothing else; name the file with the \
                   synset of each number as `synsets`, or use a truth with a synset a line";
        return Err(Kind::Form(why.to_owned()).at(truth));
    };
    let synsets = root.join(synsets);
    let text = text::read(&synsets)?;
    let known: Vec<&str> =
        text::lines(&text).map(|(_, line)| line.split_whitespace().next().unwrap_or_default()).collect();
    if let Some(stranger) = known.iter().find(|synset| !is_synset(synset)) {
        let why = format!("`{stranger}` is no synset, expected one such as n01440764 a line");
        return Err(Kind::Form(why).at(&synsets));
    }
    let lookup = |(index, word): (usize, String)| {
        let number = word.parse::<usize>().ok().filter(|number| (1..=known.len()).contains(number));
        let synset = number.map(|number| known[number - 1].to_owned());
        synset.ok_or_else(|| {
            let why = format!("`{word}` is no number from 1 to {}, the synsets that there are", known.len());
            Kind::Line { line: index + 1, why }.at(truth)
        })
    };
    words.into_iter().enumerate().map(lookup).collect()
}
