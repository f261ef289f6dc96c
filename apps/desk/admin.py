"""The way from the admin to the desk; this room has no tables."""

from django.contrib import admin

admin.site.index_template = "desk/admin_index.html"
