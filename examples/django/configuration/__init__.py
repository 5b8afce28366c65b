"""The project: settings, addresses, and the entry points of the server and of Celery.

The Celery application is imported here so that `shared_task` finds it in every process that loads Django:
the workers of the server, Celery's own, and `manage.py`.
"""

from configuration.celery import application as celery_application

__all__ = ["celery_application"]
