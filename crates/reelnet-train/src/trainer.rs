//! The loop.

mod measuring;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use burn::tensor::Device;
use reelnet_clips::{CancelToken, ClipError, LoaderOptions};
use reelnet_infer::{Bundle, Manifest};

use crate::checkpoint::{self, Checkpoint};
use crate::data::{DataSet, DataSets};
use crate::error::TrainError;
use crate::feed::{self, Fed};
use crate::journal::{Journal, Record, SetName, WeightsOf};
use crate::recipe::Recipe;
use crate::report;
use crate::run_folder::RunFolder;
use crate::schedule::Schedule;
use crate::start::{self, Sets};
use crate::state::{State, Taken};
use crate::tensorboard::Events;
use reelnet_infer::evaluation::Accuracy;

/// What belongs to a machine and decides nothing about what is computed, but for the number of threads, which may decide in which
/// order numbers are added.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// The folder that the recipe's data lies in.
    pub data_root: PathBuf,
    /// The folder of the run.
    pub run_folder: PathBuf,
    /// The bundle that the first weights come from, if the recipe says that there is one.
    pub start_from: Option<PathBuf>,
    /// Goes on with the run in the folder.
    pub resume: bool,
    /// Threads that compute; only written down.
    pub threads: usize,
    /// Threads that load.
    pub workers: usize,
    /// Keeps only what goes into each block of the network and computes the rest again on the way back: less memory, more time,
    /// the same weights.
    pub recompute: bool,
    /// Where to compute.
    pub device: Device,
    /// Ends the run in order.
    pub cancel: CancelToken,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub enum Ending {
    /// All steps are done.
    Finished {
        /// The trained bundle.
        bundle: PathBuf,
        /// What it reached, if it was measured in this run.
        accuracy: Option<Accuracy>,
    },
    /// Somebody asked for it; `resume` goes on.
    Interrupted {
        /// Steps that are done and saved.
        step: u64,
    },
}

/// Trains by a recipe. `observe` is told what the journal is told.
///
/// # Errors
/// If recipe, data, folder and weights do not fit together, the disk says no, too many files cannot be used, or the run diverges.
pub fn train(recipe: &Recipe, options: &RunOptions, observe: &mut dyn FnMut(&Record)) -> Result<Ending, TrainError> {
    let mut run = Run::open(recipe, options, observe)?;
    let ending = run.go();
    if let Err(error) = &ending {
        let (step, reason) = (run.state.progress.step, error.to_string());
        // The reason is told anyway; a disk that is full cannot take it.
        let _ = run.tell(&Record::Stopped { step, reason });
    }
    ending
}

/// A run in progress.
struct Run<'run> {
    recipe: &'run Recipe,
    options: &'run RunOptions,
    observe: &'run mut dyn FnMut(&Record),
    folder: RunFolder,
    journal: Journal,
    events: Events,
    data: Arc<DataSet>,
    validation: DataSet,
    test: Option<DataSet>,
    schedule: Schedule,
    steps_per_epoch: u64,
    state: State,
    last_accuracy: Option<Accuracy>,
}

/// Why the steps ended.
enum Pause {
    Done,
    Cancelled,
}

impl<'run> Run<'run> {
    /// Puts everything together, and checks that it fits.
    fn open(
        recipe: &'run Recipe,
        options: &'run RunOptions,
        observe: &'run mut dyn FnMut(&Record),
    ) -> Result<Self, TrainError> {
        // ---- Data ----
        let Sets { sets, steps_per_epoch } = start::data(recipe, &options.data_root)?;
        let fingerprint = sets.fingerprint();
        let DataSets { training: data, validation, test } = sets;

        // ---- State and folder ----
        let device = options.device.clone().autodiff();
        let first_state = |fingerprint| -> Result<State, TrainError> {
            let network = start::network(recipe, options.start_from.as_deref(), &device)?;
            Ok(State::new(recipe, network, device.clone(), fingerprint, options.threads))
        };
        let (folder, state) = if options.resume {
            let folder = RunFolder::resume(&options.run_folder, recipe)?;
            let state = if let Some(path) = folder.last_checkpoint() {
                let checkpoint = Checkpoint::read(&path)?;
                check_same(&folder, &checkpoint, &fingerprint, options)?;
                State::restore(recipe, checkpoint, &path, &device)?
            } else {
                first_state(fingerprint)?
            };
            (folder, state)
        } else {
            // A run that cannot begin leaves no folder.
            let state = first_state(fingerprint)?;
            (RunFolder::begin(&options.run_folder, recipe)?, state)
        };
        let state = state.recomputing(options.recompute);
        let journal = Journal::open(&folder.journal())?;
        checkpoint::sweep(&folder.checkpoints())?;
        let events = Events::begin(&folder.events(), state.progress.step)?;
        let schedule = Schedule::new(&recipe.schedule, recipe.batch.size, steps_per_epoch, recipe.epochs);
        let data = Arc::new(data);
        let last_accuracy = None;
        Ok(Self {
            recipe,
            options,
            observe,
            folder,
            journal,
            events,
            data,
            validation,
            test,
            schedule,
            steps_per_epoch,
            state,
            last_accuracy,
        })
    }

    /// From where the run is to its end.
    fn go(&mut self) -> Result<Ending, TrainError> {
        self.tell(&self.start_record()?)?;
        self.tell_findings()?;
        match self.steps()? {
            Pause::Done => self.finish(),
            Pause::Cancelled => {
                self.save()?;
                let step = self.state.progress.step;
                self.tell(&Record::Interrupted { step })?;
                Ok(Ending::Interrupted { step })
            }
        }
    }

    /// Every step that is left.
    fn steps(&mut self) -> Result<Pause, TrainError> {
        let augmenter = start::augmenter(self.recipe, &self.data)?;
        let options = LoaderOptions { first: self.state.progress.position, ..self.loader_options() };
        let mut loader = feed::feed(self.recipe, &self.data, augmenter, &options);
        while self.state.progress.step < self.schedule.steps() {
            // ---- Load ----
            let began = Instant::now();
            let taken: Result<Vec<_>, _> = loader.by_ref().take(self.recipe.batch.size).collect();
            let Ok(samples) = taken else { return Ok(Pause::Cancelled) };
            let waited = began.elapsed();
            let (batch, bad) = Taken::sort(samples);
            let step = self.state.progress.step + 1;
            for error in bad {
                self.tell_bad_sample(step, &error)?;
                self.state.count_bad(&error, self.recipe)?;
            }

            // ---- Step ----
            let learning_rate = self.schedule.learning_rate(self.state.progress.step);
            let clips = batch.len();
            let outcome = self.state.step(self.recipe, batch, learning_rate)?;
            self.tell(&Record::Step {
                step,
                epoch: step as f64 / self.steps_per_epoch as f64,
                loss: outcome.loss,
                accuracy: outcome.accuracy,
                learning_rate,
                gradient_norm: outcome.gradient_norm,
                clips,
                seconds: began.elapsed().as_secs_f64(),
                waited: waited.as_secs_f64(),
            })?;

            // ---- Validate and save ----
            let is_last = step == self.schedule.steps();
            let improved = if is_last || self.validation_is_due(step) {
                match self.validate()? {
                    Some(improved) => improved,
                    None => return Ok(Pause::Cancelled),
                }
            } else {
                false
            };
            if is_last || improved || step.is_multiple_of(self.recipe.checkpoint.every_steps) {
                self.save()?;
            }
            if self.options.cancel.is_cancelled() {
                return Ok(Pause::Cancelled);
            }
        }
        Ok(Pause::Done)
    }

    fn save(&mut self) -> Result<(), TrainError> {
        let (folder, step) = (self.folder.checkpoints(), self.state.progress.step);
        let path = checkpoint::path_of(&folder, step);
        self.state.checkpoint().write(&path)?;
        checkpoint::prune(&folder, self.recipe.checkpoint.keep, self.state.progress.best.map(|best| best.step))?;
        self.tell(&Record::Checkpoint { step, path })
    }

    /// Writes the bundle and the report.
    fn finish(&mut self) -> Result<Ending, TrainError> {
        // A run that was interrupted in its last validation.
        if self.last_accuracy.is_none() && self.validate()?.is_none() {
            return Ok(Ending::Interrupted { step: self.state.progress.step });
        }
        let path = self.folder.bundle();
        if !path.is_dir() {
            self.bundle(self.weights_that_are_kept())?.write(&path)?;
        }
        if !self.test()? {
            return Ok(Ending::Interrupted { step: self.state.progress.step });
        }
        self.tell(&Record::Finished { step: self.state.progress.step, bundle: path.clone() })?;
        report::write(self.recipe, &self.folder.journal(), &self.folder.report())?;
        Ok(Ending::Finished { bundle: path, accuracy: self.last_accuracy.clone() })
    }

    /// The network or its average, as tagging would open it.
    fn bundle(&self, weights: WeightsOf) -> Result<Bundle, TrainError> {
        let network = self.state.network_for_inference(weights, &self.options.device)?;
        let labels = self.data.labels.clone();
        let (recipe, provenance) = (self.recipe, start::provenance(self.recipe, self.options.start_from.as_deref()));
        let looks = (recipe.clip, recipe.pixels.clone());
        let manifest = Manifest::described(recipe.name.clone(), recipe.network.clone(), &labels, looks, provenance);
        Ok(Bundle { manifest, network, labels })
    }

    fn loader_options(&self) -> LoaderOptions {
        let mut options = LoaderOptions { workers: self.options.workers, ..LoaderOptions::default() };
        options.items_ahead = feed::items_ahead(&options, self.recipe);
        options.limits.cancel = self.options.cancel.clone();
        options
    }

    fn start_record(&self) -> Result<Record, TrainError> {
        let pixels = self.recipe.pixels.crop as usize;
        let cost = self.state.network().count([self.recipe.clip.frames, pixels, pixels])?;
        Ok(Record::Start {
            reelnet: env!("CARGO_PKG_VERSION"),
            step: self.state.progress.step,
            steps: self.schedule.steps(),
            steps_per_epoch: self.steps_per_epoch,
            samples: self.data.samples.len(),
            validation_files: self.validation.samples.len(),
            test_files: self.test.as_ref().map_or(0, |test| test.samples.len()),
            classes: self.data.labels.len(),
            parameters: cost.parameters,
            precision: self.recipe.precision,
            data: self.state.progress.data.clone(),
        })
    }

    /// Tells what the data sets are without.
    fn tell_findings(&mut self) -> Result<(), TrainError> {
        let sets = [(SetName::Training, &*self.data), (SetName::Validation, &self.validation)];
        for (set, data) in sets.into_iter().chain(self.test.as_ref().map(|test| (SetName::Test, test))) {
            if data.findings.is_worth_telling() {
                let record = Record::Findings { set, findings: data.findings.clone() };
                (self.observe)(&record);
                self.journal.write(&record)?;
            }
        }
        Ok(())
    }

    /// Tells of a sample that could not be used.
    fn tell_bad_sample(&mut self, step: u64, error: &ClipError) -> Result<(), TrainError> {
        let (path, kind, reason) = (error.path.clone(), error.kind.name(), error.kind.to_string());
        self.tell(&Record::BadSample { step, path, kind, reason })
    }

    /// Tells observer, journal and event file.
    fn tell(&mut self, record: &Record) -> Result<(), TrainError> {
        (self.observe)(record);
        self.journal.write(record)?;
        self.events.write(record)
    }
}

/// A checkpoint goes on with the data and the threads that it was made with.
fn check_same(
    folder: &RunFolder,
    checkpoint: &Checkpoint,
    fingerprint: &str,
    options: &RunOptions,
) -> Result<(), TrainError> {
    let changed = |what: String| Err(TrainError::Changed { path: folder.path().to_owned(), what });
    let progress = &checkpoint.progress;
    if progress.data != fingerprint {
        return changed("the lists of files or classes are not those that it was begun with".to_owned());
    }
    if progress.threads != options.threads {
        return changed(format!(
            "it was begun with {} threads, and another number may add in another order; use --threads {}",
            progress.threads, progress.threads
        ));
    }
    Ok(())
}

/// What the loader gives for one sample.
pub(crate) type Loaded = reelnet_clips::Sample<Fed>;
