//! Objects that the interpreter never frees, and of which it does not count the references either (PEP 683): a process that
//! only uses one writes nothing to it, so that processes that were forked from another go on sharing its page. Zygote and mold.

use pyo3::prelude::*;
use pyo3::types::PyList;

/// The lower half of the number of references of an object that is never freed, in 64-bit CPython 3.12 and 3.13 (PEP 683,
/// "Implementation").
const FOR_EVER: u32 = u32::MAX;

/// The minor versions of CPython 3 of which this is known.
const KNOWN: std::ops::RangeInclusive<u8> = 12..=13;

/// The right to have objects live for ever, in an interpreter that can do that.
#[derive(Debug)]
pub(crate) struct Immortality(());

impl Immortality {
    /// `None` where the interpreter has no such objects, is not known to keep them as this does, or turns out not to.
    pub(crate) fn of(py: Python<'_>) -> PyResult<Option<Self>> {
        let version = py.version_info();
        let is_known = cfg!(all(target_pointer_width = "64", target_endian = "little"))
            && (version.major == 3 && KNOWN.contains(&version.minor));
        if !is_known {
            return Ok(None);
        }
        let sys = py.import("sys")?;
        let is_cpython = sys.getattr("implementation")?.getattr("name")?.extract::<String>()? == "cpython";
        // One that was built to look for mistakes counts all references, those as well.
        let counts_all = sys.hasattr("gettotalrefcount")?;
        let means_it = sys.getattr("abiflags")?.extract::<String>()?.is_empty();
        let immortality = Self(());
        Ok((is_cpython && !counts_all && means_it && immortality.holds(py)).then_some(immortality))
    }

    /// Tries it on an object that nobody else has.
    fn holds(&self, py: Python<'_>) -> bool {
        let object = PyList::empty(py).into_any();
        self.give(&object);
        let others = vec![object.clone(); 3];
        let held = count(&object);
        drop(others);
        held == FOR_EVER && count(&object) == FOR_EVER
    }

    /// Has the object live as long as the process; whether it does only from now on.
    pub(crate) fn give(&self, object: &Bound<'_, PyAny>) -> bool {
        // As signed numbers these are below zero: also those that something has counted that does not know of them.
        let is_mortal = count(object).cast_signed() >= 0;
        if is_mortal {
            // SAFETY: in the interpreters for which there is a value of this type, an object begins with its number of
            // references, of 64 bits with the lower half first. We are attached to the interpreter, so that nobody else
            // counts at this moment; `object` holds a reference, so that it is alive.
            unsafe { object.as_ptr().cast::<u32>().write(FOR_EVER) }
        }
        is_mortal
    }
}

/// The lower half of an object's number of references.
fn count(object: &Bound<'_, PyAny>) -> u32 {
    // SAFETY: as in `give`.
    unsafe { object.as_ptr().cast::<u32>().read() }
}
