//! Where in this process the interpreter has what `rhinod stacks` reads from outside: said on a page that every fork has as well.
//! Zygote.

use std::ffi::CStr;
use std::io;

use pyo3::Python;
use rhinod::stacks::{SIGNPOST, Signpost};
use rhinod::sys::signpost::put_up;

/// Says it, for as long as the process lives.
///
/// # Errors
/// Where the interpreter does not tell these places, or the system refuses the page.
pub(crate) fn say(attached: Python<'_>) -> io::Result<()> {
    let version = attached.version_info();
    let signpost = Signpost {
        runtime: address_of(c"_PyRuntime")?,
        code_type: address_of(c"PyCode_Type")?,
        version: u64::from(version.major) << 24 | u64::from(version.minor) << 16,
    };
    let name = std::ffi::CString::new(SIGNPOST).map_err(io::Error::other)?;
    put_up(&name, &signpost.bytes())
}

/// The address of something that the interpreter shows to all its modules.
fn address_of(name: &CStr) -> io::Result<u64> {
    // SAFETY: the name ends with a zero byte, and nothing is done with what is found but telling its address.
    let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    match address.is_null() {
        true => Err(io::Error::other(format!("this interpreter does not show {}", name.to_string_lossy()))),
        false => Ok(address.addr() as u64),
    }
}
