"""The addresses of the guest book."""

from django.urls import path

from guestbook import views

app_name = "guestbook"

urlpatterns = [
    path("", views.book, name="book"),
    path("figures/", views.figures, name="figures"),
    path("wait/<int:wait_ms>/", views.wait, name="wait"),
    path("hello", views.hello, name="hello"),
]
