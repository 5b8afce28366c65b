"""What an operator relies on: health, the superuser's command, settings from the environment."""

import os
from io import StringIO
from unittest import mock

from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import connection
from django.db.utils import OperationalError
from django.test import SimpleTestCase, TestCase

from configuration import environment


class Health(TestCase):
    def test_is_good_when_database_and_cache_answer(self):
        answer = self.client.get("/health")
        self.assertEqual((answer.status_code, answer.json()), (200, {"database": "ok", "cache": "ok"}))
        self.assertIn("no-store", answer["Cache-Control"])

    def test_says_when_the_cache_does_not_answer(self):
        with mock.patch.object(cache, "set", side_effect=ConnectionError), self.assertLogs("configuration.health"):
            answer = self.client.get("/health")
        self.assertEqual((answer.status_code, answer.json()["cache"]), (503, "unreachable"))

    def test_says_when_the_cache_forgets(self):
        with mock.patch.object(cache, "get", return_value=None), self.assertLogs("configuration.health"):
            self.assertEqual(self.client.get("/health").status_code, 503)

    def test_says_when_the_database_does_not_answer(self):
        with mock.patch.object(connection, "cursor", side_effect=OperationalError):
            with self.assertLogs("configuration.health"):
                answer = self.client.get("/health")
        self.assertEqual(answer.status_code, 503)
        self.assertEqual(answer.json(), {"database": "unreachable", "cache": "ok"})


class Superuser(TestCase):
    def run_command(self, **variables):
        output = StringIO()
        with mock.patch.dict(os.environ, variables):
            call_command("ensure_superuser", stdout=output)
        return output.getvalue().strip()

    def test_is_made_with_the_password_given(self):
        self.assertEqual(self.run_command(ADMIN_PASSWORD="from outside"), "Created the superuser admin.")
        self.assertTrue(self.client.login(username="admin", password="from outside"))

    def test_is_made_with_a_new_password_that_is_printed(self):
        password = self.run_command(ADMIN_PASSWORD="").removeprefix("Created the superuser admin: ")
        self.assertGreaterEqual(len(password), 16)
        self.assertTrue(self.client.login(username="admin", password=password))

    def test_keeps_its_password_when_it_exists(self):
        self.run_command(ADMIN_PASSWORD="first")
        self.assertEqual(self.run_command(ADMIN_PASSWORD="second"), "The superuser admin exists.")
        self.assertTrue(self.client.login(username="admin", password="first"))
        self.assertEqual(get_user_model().objects.count(), 1)


class Environment(SimpleTestCase):
    def read(self, reader, value, *arguments):
        with mock.patch.dict(os.environ, {"SETTING": value}):
            return reader("SETTING", *arguments)

    def test_truth_values(self):
        for word in ("1", "true", "YES", " on "):
            self.assertIs(self.read(environment.truth, word, False), True)
        for word in ("", "0", "False", "no", "off"):
            self.assertIs(self.read(environment.truth, word, True), False)

    def test_a_word_that_is_neither_is_refused(self):
        with self.assertRaisesMessage(ImproperlyConfigured, "SETTING is 'maybe'"):
            self.read(environment.truth, "maybe", False)

    def test_a_missing_value_without_a_default_is_refused(self):
        with self.assertRaisesMessage(ImproperlyConfigured, "SETTING is not set"):
            self.read(environment.text, "")

    def test_lists(self):
        self.assertEqual(self.read(environment.words, " a, b,,c ", ""), ["a", "b", "c"])
