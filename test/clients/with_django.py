"""Django: a model as inspectdb writes it; save() writes every column, so null where the object does not know one."""
from tap import Tap, skip

try:
    import django
    from django.conf import settings
    import psycopg2  # noqa: F401
except ImportError as missing:
    skip(f'needs python3-django and python3-psycopg2 ({missing})')
import os

settings.configure(DATABASES={'default': {'ENGINE': 'django.db.backends.postgresql', 'NAME': os.environ['PGDATABASE'],
                                          'USER': os.environ['PGUSER'], 'HOST': os.environ['PGHOST'], 'PORT': os.environ['PGPORT']}},
                   USE_TZ=True, DEFAULT_AUTO_FIELD='django.db.models.BigAutoField', INSTALLED_APPS=[])
django.setup()
from django.db import IntegrityError, models, transaction  # noqa: E402


class Stage(models.Model):
    stream = models.TextField()
    name = models.TextField()

    class Meta:
        app_label, managed, db_table = 'vsm', False, 'vsm"."stages'


class WorkItem(models.Model):
    stream = models.TextField(null=True)
    external_id = models.TextField(null=True)
    title = models.TextField()
    type = models.TextField(null=True)
    created_at = models.DateTimeField(null=True)
    updated_at = models.DateTimeField(auto_now=True)
    stage = models.ForeignKey(Stage, models.DO_NOTHING, null=True)
    stage_entered_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    completed_at = models.DateTimeField(null=True)
    active_time = models.DurationField(null=True)
    wait_time = models.DurationField(null=True)
    reopened = models.IntegerField(null=True)
    backward_moves = models.IntegerField(null=True)
    discarded_at = models.DateTimeField(null=True)
    discarded = models.IntegerField(null=True)
    furthest_stage_id = models.BigIntegerField(null=True)
    attributes = models.JSONField(default=dict)

    class Meta:
        app_label, managed, db_table = 'vsm', False, 'vsm"."work_items'


t = Tap()
stages = {stage.name: stage for stage in Stage.objects.filter(stream='default')}
item = WorkItem.objects.create(title='created')
t.ok(item.pk is not None, 'create, with nulls in all columns that the object does not know')
item.title = 'saved after create'
item.save()
read = WorkItem.objects.get(pk=item.pk)
t.same((read.title, read.stage.name, read.type, read.stream, read.reopened), ('saved after create', 'Backlog', 'task', 'default', 0),
       'save after create')
read.stage = stages['Development']
read.save()
read.refresh_from_db()
t.ok(read.started_at is not None and read.started_at == read.stage_entered_at, 'another stage and save: a move')
item.title = 'still unread'
item.save()
read.refresh_from_db()
t.same((read.title, read.stage.name), ('still unread', 'Development'), 'an object that never knew the stage leaves it')

stale = WorkItem.objects.get(pk=item.pk)
read.stage = stages['Testing']
read.save()
stale.title = 'lost'


def save_in_transaction(obj):
    with transaction.atomic():
        obj.save()


t.fails('PT409', 'has moved since it was read', lambda: save_in_transaction(stale), 'a stale save')
WorkItem.objects.filter(pk=item.pk).update(title='only one column')
stale.refresh_from_db()
stale.title = 'read again'
stale.save(update_fields=['title'])
t.same(WorkItem.objects.get(pk=item.pk).title, 'read again', 'after reading again the save is accepted')

made, created = WorkItem.objects.update_or_create(stream='default', external_id='D-1', defaults={'title': 'one'})
again, created_again = WorkItem.objects.update_or_create(stream='default', external_id='D-1', defaults={'title': 'two', 'stage': stages['Analysis']})
t.same((created, created_again, again.pk == made.pk, WorkItem.objects.get(pk=made.pk).stage.name), (True, False, True, 'Analysis'),
       'update_or_create')
WorkItem.objects.bulk_create([WorkItem(title=f'bulk {n}', external_id=f'DB-{n}') for n in range(100)])
WorkItem.objects.bulk_create([WorkItem(title='again', external_id=f'DB-{n}', stream='default') for n in range(110)], ignore_conflicts=True)
t.same(WorkItem.objects.filter(external_id__startswith='DB-', stage=stages['Backlog']).count(), 110, 'bulk_create, also with ignore_conflicts')
t.same(WorkItem.objects.filter(title='again').count(), 10, 'which changes nothing that is there')
if django.VERSION >= (4, 1):
    WorkItem.objects.filter(external_id='DB-1').update(stage=stages['Testing'])
    WorkItem.objects.bulk_create(
        [WorkItem(title='upsert', external_id='DB-1', stream='default')], update_conflicts=True, unique_fields=['stream', 'external_id'],
        update_fields=[f.name for f in WorkItem._meta.fields if f.name not in ('id', 'stream', 'external_id')])
    t.same(list(WorkItem.objects.filter(external_id='DB-1').values_list('title', 'stage__name')), [('upsert', 'Testing')],
           'bulk_create with update_conflicts leaves the item where it is')
bulk = list(WorkItem.objects.filter(external_id__startswith='DB-'))
for one in bulk:
    one.stage = stages['Analysis']
WorkItem.objects.bulk_update(bulk, ['stage'])
t.same(WorkItem.objects.filter(external_id__startswith='DB-', stage=stages['Analysis']).count(), 110, 'bulk_update of the stage')
t.fails('PT422', 'has not been issued', lambda: save_in_transaction(WorkItem(pk=1000000, title='own id')), 'an id of its own is refused')
try:
    with transaction.atomic():
        WorkItem.objects.create(title='twice', external_id='D-1', stream='default')
    t.ok(False, 'a second item of an external id')
except IntegrityError as error:
    t.ok('work_items_external_id' in str(error), 'a second item of an external id is an IntegrityError', str(error))
t.done()
