"""Users and memberships for staff."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from unfold.admin import ModelAdmin, TabularInline
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from apps.accounts.models import Membership, User

admin.site.unregister(Group)


class MembershipInline(TabularInline):
    """A user's roles, shown beside the user."""

    model = Membership
    extra = 0
    can_delete = False
    readonly_fields = ("tenant", "role", "created_at")

    def has_add_permission(self, request: object, obj: object = None) -> bool:
        """Roles are given by a service, which audits."""
        return False


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin):
    """People and programs that may come in."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    inlines = (MembershipInline,)
    list_display = ("username", "email", "is_staff", "is_active", "last_login")


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):
    """Groups of permissions."""


@admin.register(Membership)
class MembershipAdmin(ModelAdmin):
    """Who may do what in which tenant."""

    list_display = ("user", "tenant", "role", "created_at")
    list_filter = ("role", "tenant")
    search_fields = ("user__username",)
    readonly_fields = ("user", "tenant", "role", "created_at")

    def has_add_permission(self, request: object) -> bool:
        """Roles are given by a service, which audits."""
        return False

    def has_delete_permission(self, request: object, obj: object = None) -> bool:
        """Roles are taken by a service, which audits."""
        return False
