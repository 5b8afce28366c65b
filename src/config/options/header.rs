//! A header as options take it: `Name: value` (RFC 9110, section 5). Pure; read in the master before anything else, and by the
//! commands.

/// Its name and its value; `None`: it is none that may be sent.
pub(super) fn pair(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.split_once(':')?;
    let (name, value) = (name.trim(), value.trim());
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let is_name = !name.is_empty() && name.bytes().all(is_token);
    let is_value = !value.chars().any(|letter| letter.is_control() && letter != '\t');
    (is_name && is_value).then_some((name, value))
}
