"""What the server loads: `module = configuration.wsgi:application`.

Runs once in the zygote; the workers are forked from it with everything below already imported. Therefore nothing
here opens a connection: database, cache and broker are connected to by each worker when it first needs them.
"""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "configuration.settings")

application = get_wsgi_application()
