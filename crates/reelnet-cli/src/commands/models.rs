//! `reelnet models`

use std::io::{Write, stdout};

use burn::tensor::Device;
use reelnet_models::presets::{self, Preset, Published};
use reelnet_models::{Cost, NetworkConfig};
use serde::Serialize;

use crate::args::ModelsArgs;
use crate::exit::Outcome;
use crate::output::{Align, Columns};

/// A network at its usual input.
#[derive(Serialize)]
struct Row {
    name: String,
    network: String,
    #[serde(flatten)]
    cost: Cost,
    /// Channels, frames, height, width.
    input: [usize; 4],
    frame_step: usize,
    classes: usize,
    published: Option<Published>,
    recipe: Recipe,
}

/// The numbers of the recipe that belong to the network.
#[derive(Serialize)]
struct Recipe {
    dropout: f64,
    drop_path: f64,
    randaugment_magnitude: Option<u32>,
}

impl Row {
    fn of(preset: &Preset) -> anyhow::Result<Self> {
        let name = &preset.name;
        let (frames, size) = (name.frames(), name.size());
        // Counted from the built network, whose weights are not drawn until they are read.
        let cost = name.config().build(0, &Device::flex())?.count([frames, size, size])?;
        let (dropout, drop_path) = match name.config() {
            NetworkConfig::Resnet(config) => (config.dropout, config.drop_path),
            NetworkConfig::Resnet3dRs(config) => (config.dropout, config.drop_path),
            NetworkConfig::Efficientnet(config) => (config.dropout, config.drop_path),
        };
        Ok(Self {
            name: name.to_string(),
            network: name.network().to_owned(),
            cost,
            input: [3, frames, size, size],
            frame_step: name.frame_step(),
            classes: name.config().classes(),
            published: preset.published.clone(),
            recipe: Recipe { dropout, drop_path, randaugment_magnitude: preset.magnitude },
        })
    }

    fn cells(&self) -> Vec<String> {
        let [_, frames, size, _] = self.input;
        let published = self.published.as_ref();
        vec![
            self.name.clone(),
            if frames == 1 { format!("{size}²") } else { format!("{frames}×{size}²") },
            self.classes.to_string(),
            format!("{:.2} M", self.cost.parameters as f64 / 1e6),
            format!("{:.2} G", self.cost.macs as f64 / 1e9),
            published.map_or_else(|| "-".to_owned(), |published| format!("{:.1}", published.top1)),
            published.map_or_else(String::new, |published| format!("{}: {}", published.dataset, published.source)),
        ]
    }
}

pub(crate) fn models(args: &ModelsArgs) -> anyhow::Result<Outcome> {
    let rows = presets::all().iter().map(Row::of).collect::<anyhow::Result<Vec<Row>>>()?;
    let mut stdout = stdout().lock();
    if args.json {
        writeln!(stdout, "{}", serde_json::to_string_pretty(&rows)?)?;
        return Ok(Outcome::Done);
    }
    let header = ["NAME", "INPUT", "CLASSES", "PARAMETERS", "MACS", "TOP-1", "MEASURED ON: SOURCE"].map(str::to_owned);
    let cells: Vec<Vec<String>> = std::iter::once(header.to_vec()).chain(rows.iter().map(Row::cells)).collect();
    let align = [Align::Left, Align::Left, Align::Right, Align::Right, Align::Right, Align::Right, Align::Left];
    let columns = Columns::fitting(&align, &cells);
    for row in &cells {
        writeln!(stdout, "{}", columns.row(row))?;
    }
    Ok(Outcome::Done)
}
