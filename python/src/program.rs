//! What of an application is its program, and lives as long as the process all the same: with `refork` the interpreter need not
//! count the references to it any more, so that workers do not write to what they share with the mold.
//!
//! The program is its modules, the classes and functions in them, their code, and what never changes and hangs together with
//! that: names, texts, numbers, tuples of such. Nobody can tell that these are not freed. All else is left as it is, and not even
//! looked at: what an application makes of its classes, its lists and dicts, whatever has an end that means something
//! (files, locks, threads, generators, everything with a finalizer), and whatever is not known here. No code of the application
//! runs meanwhile. Zygote and mold.

use std::collections::{HashMap, HashSet};

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyModule, PyTuple, PyType};

use crate::ffi::immortal::Immortality;

/// Tuples of tuples that are looked into.
const DEPTH_MAX: u32 = 16;

/// What code hangs together with that never changes (Python's manual, "Code objects").
const OF_CODE: [&str; 7] =
    ["co_consts", "co_names", "co_exceptiontable", "co_filename", "co_name", "co_qualname", "co_linetable"];

/// What an object of a type that is known is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Nothing else.
    Plain,
    Code,
    /// What it is made of is its own as long as it lives.
    Function,
    /// What it holds may be anything.
    Group,
    /// A variable that a function shares with those within it.
    Cell,
}

/// The types that are known, by the module that names them.
const KNOWN: [(&str, &str, Kind); 24] = [
    ("builtins", "str", Kind::Plain),
    ("builtins", "bytes", Kind::Plain),
    ("builtins", "int", Kind::Plain),
    ("builtins", "bool", Kind::Plain),
    ("builtins", "float", Kind::Plain),
    ("builtins", "complex", Kind::Plain),
    ("types", "NoneType", Kind::Plain),
    ("types", "EllipsisType", Kind::Plain),
    ("types", "WrapperDescriptorType", Kind::Plain),
    ("types", "MethodDescriptorType", Kind::Plain),
    ("types", "ClassMethodDescriptorType", Kind::Plain),
    ("types", "GetSetDescriptorType", Kind::Plain),
    ("types", "MemberDescriptorType", Kind::Plain),
    ("re", "Pattern", Kind::Plain),
    ("types", "CodeType", Kind::Code),
    ("types", "FunctionType", Kind::Function),
    ("builtins", "property", Kind::Function),
    ("builtins", "classmethod", Kind::Function),
    ("builtins", "staticmethod", Kind::Function),
    ("builtins", "tuple", Kind::Group),
    ("builtins", "frozenset", Kind::Group),
    // Of a module, of a class, or of anything.
    ("types", "BuiltinFunctionType", Kind::Group),
    ("types", "MethodType", Kind::Group),
    ("types", "CellType", Kind::Cell),
];

/// Has the program live as long as the process, `also` included. Returns how many objects that are; 0 where the interpreter
/// cannot do that.
///
/// # Errors
/// The interpreter does not tell what there is.
pub(crate) fn keep(py: Python<'_>, also: &[Bound<'_, PyAny>]) -> PyResult<usize> {
    let Some(immortality) = Immortality::of(py)? else { return Ok(0) };
    let mut program = Program::new(py, immortality)?;
    // A copy: it is the application's, and may be changed by whatever runs.
    let modules: Vec<_> = py.import("sys")?.getattr("modules")?.cast_into::<PyDict>()?.values().iter().collect();
    program.todo.extend(modules.into_iter().filter(|module| module.is_instance_of::<PyModule>()));
    program.todo.extend(also.iter().cloned());
    while let Some(object) = program.todo.pop() {
        program.look(&object)?;
    }
    Ok(program.kept)
}

struct Program<'py> {
    immortality: Immortality,
    /// By the type's address.
    kinds: HashMap<usize, Kind>,
    /// What of an object its own code tells the garbage collector of (`gc.get_referents`).
    referents: Bound<'py, PyAny>,
    /// The attribute of every class that is its contents, of `type` itself: a class of classes may have others of these names.
    of_class: [Bound<'py, PyAny>; 3],
    /// Addresses of what has been looked at, as a value and as a part of something.
    seen: HashSet<usize>,
    parts: HashSet<usize>,
    todo: Vec<Bound<'py, PyAny>>,
    kept: usize,
}

impl<'py> Program<'py> {
    fn new(py: Python<'py>, immortality: Immortality) -> PyResult<Self> {
        let referents = py.import("gc")?.getattr("get_referents")?;
        let class = py.get_type::<PyType>().getattr("__dict__")?;
        let of_class = [class.get_item("__dict__")?, class.get_item("__mro__")?, class.get_item("__bases__")?];
        let (parts, todo) = (HashSet::new(), Vec::new());
        Ok(Self { immortality, kinds: kinds(py)?, referents, of_class, seen: HashSet::new(), parts, todo, kept: 0 })
    }

    /// Looks at what may be a part of the program.
    fn look(&mut self, object: &Bound<'py, PyAny>) -> PyResult<()> {
        if !self.seen.insert(address(object)) {
            return Ok(());
        }
        if let Ok(module) = object.cast::<PyModule>() {
            self.keep(object);
            return self.part(module.dict().into_any());
        }
        if let Ok(class) = object.cast::<PyType>() {
            self.keep(object);
            return self.look_into_class(class);
        }
        match self.kind(object) {
            Some(Kind::Plain) => self.keep(object),
            Some(Kind::Code) => {
                self.keep(object);
                for name in OF_CODE {
                    self.todo.push(object.getattr(name)?);
                }
            }
            Some(Kind::Function) => {
                self.keep(object);
                for part in self.referents(object)? {
                    self.part(part)?;
                }
            }
            Some(Kind::Group) if self.never_changes(object, DEPTH_MAX)? => {
                self.keep(object);
                let members = self.members(object)?;
                self.todo.extend(members);
            }
            Some(Kind::Group | Kind::Cell) | None => {}
        }
        Ok(())
    }

    fn look_into_class(&mut self, class: &Bound<'py, PyType>) -> PyResult<()> {
        self.todo.push(class.get_type().into_any());
        for attribute in self.of_class.clone() {
            let part = attribute.call_method1("__get__", (class,))?;
            match part.is_instance_of::<PyTuple>() {
                true => self.part(part)?,
                // A view of its dict, made for us.
                false => {
                    for part in self.referents(&part)? {
                        self.part(part)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// A part of something that lives for ever: so does it, whatever it holds, but not what that is.
    fn part(&mut self, part: Bound<'py, PyAny>) -> PyResult<()> {
        let held: Vec<_> = if let Ok(dict) = part.cast_exact::<PyDict>() {
            dict.iter().flat_map(|(name, value)| [name, value]).collect()
        } else if let Ok(tuple) = part.cast_exact::<PyTuple>() {
            tuple.iter().collect()
        } else if self.kind(&part) == Some(Kind::Cell) {
            self.referents(&part)?
        } else {
            self.todo.push(part);
            return Ok(());
        };
        if self.parts.insert(address(&part)) {
            self.keep(&part);
            for one in held {
                match self.kind(&one) {
                    Some(Kind::Cell) => self.part(one)?,
                    _ => self.todo.push(one),
                }
            }
        }
        Ok(())
    }

    /// Whether nothing can be put into it, or into what it holds, that is not a part of the program.
    fn never_changes(&self, object: &Bound<'py, PyAny>, depth: u32) -> PyResult<bool> {
        if object.is_instance_of::<PyModule>() || object.is_instance_of::<PyType>() {
            return Ok(true);
        }
        match self.kind(object) {
            Some(Kind::Plain | Kind::Code | Kind::Function) => Ok(true),
            Some(Kind::Group) if depth > 0 => {
                for member in self.members(object)? {
                    if !self.never_changes(&member, depth - 1)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Some(Kind::Group | Kind::Cell) | None => Ok(false),
        }
    }

    fn keep(&mut self, object: &Bound<'py, PyAny>) {
        self.kept += usize::from(self.immortality.give(object));
    }

    fn kind(&self, object: &Bound<'py, PyAny>) -> Option<Kind> {
        self.kinds.get(&address(&object.get_type().into_any())).copied()
    }

    /// What a group holds.
    fn members(&self, group: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        // Without a list of its own.
        if let Ok(tuple) = group.cast_exact::<PyTuple>() {
            return Ok(tuple.iter().collect());
        }
        self.referents(group)
    }

    fn referents(&self, object: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        Ok(self.referents.call1((object,))?.cast_into::<PyList>()?.iter().collect())
    }
}

fn kinds(py: Python<'_>) -> PyResult<HashMap<usize, Kind>> {
    let known = |(module, name, kind)| Ok((address(&py.import(module)?.getattr(name)?), kind));
    KNOWN.into_iter().map(known).collect()
}

fn address(object: &Bound<'_, PyAny>) -> usize {
    object.as_ptr().addr()
}
