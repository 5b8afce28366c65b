"""How the tables came to be; `manage.py migrate` brings a database up to date."""
