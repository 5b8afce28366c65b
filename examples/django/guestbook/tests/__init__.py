"""Tests of the Django project itself; the server and nginx have no part in them.

`DEBUG=true python manage.py test`. Without Redis: the cache is inside the process and tasks run at once.
"""
