//! The title of a process, as `ps` and `top` show it. Every process, before it has threads.

use std::io;

use super::process::set_name;

/// Bytes that a program leaves free among its arguments for titles that are longer than they are.
pub const ROOM_BYTES: usize = 128;

/// Gives this process a title: in `ps`, where its arguments stood, and its first 15 bytes as its name in `top`. The
/// kernel shows what is in the memory of the arguments, so that the title is cut to their length.
///
/// From then on `std::env::args` finds pieces of the title.
///
/// # Errors
/// When the kernel does not say where the arguments are; the name is set all the same.
pub fn set_title(title: &str) -> io::Result<()> {
    set_name(title);
    Title::of_this_process()?.show(title);
    Ok(())
}

/// The title in `ps` alone, for who changes it often. Two threads that change it at once mix their texts.
#[derive(Debug)]
pub struct Title {
    area: (usize, usize),
}

impl Title {
    /// Where this process has its.
    ///
    /// # Errors
    /// When the kernel does not say where the arguments are.
    pub fn of_this_process() -> io::Result<Self> {
        let stat = std::fs::read_to_string("/proc/self/stat")?;
        let area =
            argument_area(&stat).ok_or_else(|| io::Error::other("/proc/self/stat does not show the arguments"))?;
        Ok(Self { area })
    }

    /// Shows a title, as much of it as there is room for.
    pub fn show(&self, title: &str) {
        overwrite(self.area, title);
    }
}

/// Where the arguments of a process are, from its `/proc/PID/stat`: address and bytes.
fn argument_area(stat: &str) -> Option<(usize, usize)> {
    // The second field is a name in parentheses that may hold anything; `arg_start` is the 48th, `arg_end` the 49th.
    let (_, from_third) = stat.rsplit_once(") ")?;
    let mut fields = from_third.split_ascii_whitespace().skip(48 - 3);
    let (start, end): (usize, usize) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    (start > 0 && end > start).then(|| (start, end - start))
}

fn overwrite((start, bytes): (usize, usize), title: &str) {
    // The last byte stays NUL: behind it the environment begins, which is not part of the title.
    let shown = &title.as_bytes()[..title.len().min(bytes - 1)];
    let area = std::ptr::with_exposed_provenance_mut::<u8>(start);
    // SAFETY: the kernel has laid out the arguments there, on this process' own stack, which is writable and stays as
    // long as the process; `shown` is not longer than the area and lies elsewhere. Who reads the arguments meanwhile
    // sees other bytes, but finds a NUL at the end of each.
    unsafe {
        std::ptr::copy_nonoverlapping(shown.as_ptr(), area, shown.len());
        std::ptr::write_bytes(area.add(shown.len()), 0, bytes - shown.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_found_behind_any_name() {
        let fields: Vec<String> = (3..=52).map(|number| format!("{}", number * 100)).collect();
        for name in ["sh", "a b", "x) y", "((", ")"] {
            let stat = format!("17 ({name}) {}\n", fields.join(" "));
            assert_eq!(argument_area(&stat), Some((4_800, 100)), "{name}");
        }
        assert_eq!(argument_area("17 (sh) S 1"), None);
    }

    #[test]
    fn a_process_without_arguments_has_no_place_for_a_title() {
        let fields: Vec<&str> = (3..=52).map(|_| "0").collect();
        assert_eq!(argument_area(&format!("2 (kthreadd) {}", fields.join(" "))), None);
    }
}
