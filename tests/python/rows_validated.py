"""The rows behind wsgiref's validator, which raises AssertionError whenever server or application break PEP 3333."""

from wsgiref.validate import validator

from rows import application as rows

application = validator(rows)
