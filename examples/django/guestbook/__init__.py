"""The one application of this project: a guest book with entries, figures about them, and an admin page."""
