"""One settings module, composed of parts; environments differ by variables only."""

from project.env import WrongSetting, env, stop_with

try:
    from project.settings.base import *
    from project.settings.data import *
    from project.settings.desk import *
    from project.settings.front import *
    from project.settings.logs import *
    from project.settings.queue import *
except WrongSetting as error:
    stop_with(error)

DECLARED_VARIABLES = env.declared
