"""Judges the dependencies by deny.toml: licences, double versions, wildcards, sources. No network, nothing to install.

    cargo metadata --format-version 1 --locked --offline --filter-platform TARGET | python3 tests/dependencies.py

The rules are cargo-deny's of the same names. A key of deny.toml that is not known here is an error: a rule that nobody
checks would be worse than none. Ends with 1 when something is wrong; each line of its output is one thing.
"""

import json
import pathlib
import re
import sys

try:
    import tomllib
except ImportError:  # Python before 3.11; pip brings its own.
    from pip._vendor import tomli as tomllib

RULES = pathlib.Path(__file__).parent.parent / "deny.toml"

KNOWN = {
    "graph": {"targets"},
    "licenses": {"allow", "unused-allowed-license"},
    "bans": {"multiple-versions", "wildcards", "allow-wildcard-paths", "skip"},
    "sources": {"unknown-registry", "unknown-git", "allow-registry", "allow-git"},
}


def unknown(rules):
    """What deny.toml asks for and nobody here checks."""
    for section, keys in rules.items():
        for key in keys:
            if key not in KNOWN.get(section, ()):
                yield f"deny.toml: {section}.{key} is not checked by tests/dependencies.py"


def name(package):
    return f"{package['name']} {package['version']}"


class Expression:
    """An SPDX licence expression, read once. A slash is the old way to write OR."""

    def __init__(self, text):
        self.words = re.findall(r"[()]|[^\s()]+", text.replace("/", " OR "))

    def allows(self, allowed, used):
        """Whether `allowed` is enough; what was needed of it goes into `used`."""
        result = self.any_of(allowed, used)
        if self.words:
            raise ValueError(f"unexpected {self.words[0]}")
        return result

    def take(self, word):
        if self.words and self.words[0] == word:
            self.words.pop(0)
            return True
        return False

    def any_of(self, allowed, used):
        results = [self.all_of(allowed, used)]
        while self.take("OR"):
            results.append(self.all_of(allowed, used))
        return any(results)

    def all_of(self, allowed, used):
        results = [self.one(allowed, used)]
        while self.take("AND"):
            results.append(self.one(allowed, used))
        return all(results)

    def one(self, allowed, used):
        if self.take("("):
            result = self.any_of(allowed, used)
            if not self.take(")"):
                raise ValueError("a parenthesis is not closed")
            return result
        if not self.words or self.words[0] in (")", "AND", "OR", "WITH"):
            raise ValueError("a licence is missing")
        licence = self.words.pop(0)
        if self.take("WITH"):
            if not self.words:
                raise ValueError("an exception is missing")
            licence += f" WITH {self.words.pop(0)}"
        if licence in allowed:
            used.add(licence)
        return licence in allowed


def licences(packages, rules):
    allowed, used = rules["allow"], set()
    for package in packages:
        text = package["license"]
        try:
            fine = text is not None and Expression(text).allows(allowed, used)
        except ValueError as error:
            yield f"{name(package)}: its licence, {text!r}, cannot be read: {error}"
            continue
        if not fine:
            yield f"{name(package)}: its licence, {text!r}, is not among those of deny.toml"
    if rules.get("unused-allowed-license") == "deny":
        for licence in sorted(set(allowed) - used):
            yield f"deny.toml: nothing needs the licence {licence!r}"


def doubles(packages, rules):
    if rules.get("multiple-versions") != "deny":
        return
    skipped = {entry["crate"] if isinstance(entry, dict) else entry for entry in rules.get("skip", [])}
    versions = {}
    for package in packages:
        if package["name"] not in skipped and f"{package['name']}@{package['version']}" not in skipped:
            versions.setdefault(package["name"], set()).add(package["version"])
    for package, found in sorted(versions.items()):
        if len(found) > 1:
            yield f"{package}: there are {len(found)} versions, {', '.join(sorted(found))}"


def wildcards(packages, rules):
    if rules.get("wildcards") != "deny":
        return
    for package in packages:
        for dependency in package["dependencies"]:
            by_path = dependency.get("path") is not None and rules.get("allow-wildcard-paths", False)
            if dependency["req"] == "*" and not by_path:
                yield f"{name(package)}: it takes any version of {dependency['name']}"


def sources(packages, rules):
    for package in packages:
        kind, _, place = (package["source"] or "").partition("+")
        if kind == "registry" and rules.get("unknown-registry") == "deny" and place not in rules["allow-registry"]:
            yield f"{name(package)}: it comes from an unknown registry, {place}"
        if kind == "git" and rules.get("unknown-git") == "deny" and place.split("?")[0] not in rules["allow-git"]:
            yield f"{name(package)}: it comes from an unknown repository, {place}"


def complaints(metadata, rules):
    """Everything that is wrong. Only what is built on the platform of the metadata counts."""
    built = {node["id"] for node in metadata["resolve"]["nodes"]}
    packages = [package for package in metadata["packages"] if package["id"] in built]
    yield from unknown(rules)
    yield from licences(packages, rules["licenses"])
    yield from doubles(packages, rules["bans"])
    yield from wildcards(packages, rules["bans"])
    yield from sources(packages, rules["sources"])


def main():
    with RULES.open("rb") as file:
        rules = tomllib.load(file)
    found = list(complaints(json.load(sys.stdin), rules))
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
