//! To whom a signal goes, by the word with which it was registered (uWSGI's manual, "The uWSGI Signal Framework"). Pure; used in
//! the master.

/// Who gets a signal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The first worker that has time for it.
    AnyWorker,
    /// Every worker.
    Workers,
    /// Every worker that accepts.
    ActiveWorkers,
    /// The worker of this number.
    Worker(u32),
    /// The first mule that has time for it.
    AnyMule,
    /// Every mule.
    Mules,
    /// The mule of this number.
    Mule(u32),
    /// The first mule of a farm, by the farm's name or its number.
    Farm(String),
    /// The first spooler process that has time for it.
    Spooler,
    /// Nobody.
    Nobody,
    /// A word that names nobody.
    Unknown(String),
}

impl Target {
    /// What a word means.
    pub fn of(word: &str) -> Target {
        let numbered = |prefix: &str| word.strip_prefix(prefix)?.parse::<u32>().ok();
        match word {
            "" | "worker" | "worker0" => Target::AnyWorker,
            "workers" => Target::Workers,
            "active-workers" => Target::ActiveWorkers,
            "mule" | "mule0" => Target::AnyMule,
            "mules" => Target::Mules,
            "spooler" => Target::Spooler,
            "subscribed" => Target::Nobody,
            _ => match (numbered("worker"), numbered("mule"), word.strip_prefix("farm_"), word.strip_prefix("farm")) {
                (Some(number), ..) => Target::Worker(number),
                (_, Some(number), ..) => Target::Mule(number),
                (_, _, Some(name), _) => Target::Farm(name.to_owned()),
                (_, _, _, Some(number)) if number.parse::<u32>().is_ok() => Target::Farm(number.to_owned()),
                _ => Target::Unknown(word.to_owned()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_of_the_manual_names_whom_it_names() {
        for (word, target) in [
            ("", Target::AnyWorker),
            ("worker", Target::AnyWorker),
            ("worker0", Target::AnyWorker),
            ("workers", Target::Workers),
            ("active-workers", Target::ActiveWorkers),
            ("worker12", Target::Worker(12)),
            ("mule", Target::AnyMule),
            ("mules", Target::Mules),
            ("mule3", Target::Mule(3)),
            ("farm_jobs", Target::Farm("jobs".to_owned())),
            ("farm2", Target::Farm("2".to_owned())),
            ("spooler", Target::Spooler),
            ("subscribed", Target::Nobody),
            ("cluster", Target::Unknown("cluster".to_owned())),
            ("worker-1", Target::Unknown("worker-1".to_owned())),
        ] {
            assert_eq!(Target::of(word), target, "{word}");
        }
    }
}
