//! Which of several applications answers a request (uWSGI's manual, "Running multiple web apps"). Pure.

/// The applications of an instance: each has a mountpoint without a trailing slash; `""` is the root.
#[derive(Debug, Default)]
pub(crate) struct Mounts<A> {
    applications: Vec<(Vec<u8>, A)>,
    /// `manage-script-name`: split the path by mountpoint.
    manage_script_name: bool,
}

/// What answers a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Chosen<'m, 'p, A> {
    pub(crate) application: &'m A,
    /// With `manage-script-name` where a mountpoint matched: SCRIPT_NAME and PATH_INFO for the application.
    pub(crate) rewritten: Option<(&'m [u8], &'p [u8])>,
}

impl<A> Mounts<A> {
    /// `applications`: in the order in which they were loaded. Trailing slashes of mountpoints do not count; of two
    /// with the same mountpoint the first one stays.
    pub(crate) fn new(applications: impl IntoIterator<Item = (Vec<u8>, A)>, manage_script_name: bool) -> Self {
        let mut mounts = Self { applications: Vec::new(), manage_script_name };
        for (mountpoint, application) in applications {
            let mountpoint = trimmed(&mountpoint).to_vec();
            if !mounts.applications.iter().any(|(known, _)| *known == mountpoint) {
                mounts.applications.push((mountpoint, application));
            }
        }
        mounts
    }

    /// `None`: there is no application at all.
    pub(crate) fn choose<'p>(&self, script_name: &[u8], path_info: &'p [u8]) -> Option<Chosen<'_, 'p, A>> {
        if self.manage_script_name
            && let Some((mountpoint, application)) = self.longest_prefix(path_info)
        {
            let rest = &path_info[mountpoint.len()..];
            return Some(Chosen { application, rewritten: Some((mountpoint, rest)) });
        }
        let named = self.applications.iter().find(|(mountpoint, _)| mountpoint == trimmed(script_name));
        let application = named.or_else(|| self.default_application()).map(|(_, application)| application)?;
        Some(Chosen { application, rewritten: None })
    }

    /// The longest mountpoint below the root that is the path or ends in it at a segment boundary.
    fn longest_prefix(&self, path_info: &[u8]) -> Option<(&[u8], &A)> {
        let matches = |mountpoint: &[u8]| {
            !mountpoint.is_empty()
                && path_info.strip_prefix(mountpoint).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
        };
        let matching = self.applications.iter().filter(|(mountpoint, _)| matches(mountpoint));
        let longest = matching.max_by_key(|(mountpoint, _)| mountpoint.len())?;
        Some((&longest.0, &longest.1))
    }

    /// The application at the root, else the first one.
    fn default_application(&self) -> Option<&(Vec<u8>, A)> {
        self.applications.iter().find(|(mountpoint, _)| mountpoint.is_empty()).or(self.applications.first())
    }
}

fn trimmed(mountpoint: &[u8]) -> &[u8] {
    let end = mountpoint.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
    &mountpoint[..end]
}
