# Rights: what a database gives to others by default, roles that somebody made
# before, and what others have put on our tables.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended wait_for outcome health psql_stderr);
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = start_simulator();
my $node = new_node('main', preload => 1, conf => 'wal_level = logical');

# What everybody but the owner may do, one a line.
sub rights
{
	my ($database) = @_;

	return $node->safe_psql($database, q{
		SELECT o.name || ' ' || CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END || ' ' || a.privilege_type || ' ' || a.is_grantable
		FROM (SELECT nspname::text AS name, nspowner AS owner, nspacl AS acl FROM pg_namespace WHERE nspname IN ('reengage', 'reengage_internal')
			  UNION ALL SELECT c.oid::regclass::text, relowner, relacl FROM pg_class c WHERE relnamespace IN ('reengage'::regnamespace, 'reengage_internal'::regnamespace)
			  UNION ALL SELECT attrelid::regclass || '.' || attname, relowner, attacl
				  FROM pg_attribute JOIN pg_class c ON c.oid = attrelid WHERE relnamespace IN ('reengage'::regnamespace, 'reengage_internal'::regnamespace)
			  UNION ALL SELECT p.oid::regprocedure::text, proowner, coalesce(proacl, acldefault('f', proowner))
				  FROM pg_proc p WHERE pronamespace IN ('reengage'::regnamespace, 'reengage_internal'::regnamespace)
			  UNION ALL SELECT t.oid::regtype::text, typowner, typacl FROM pg_type t WHERE typnamespace IN ('reengage'::regnamespace, 'reengage_internal'::regnamespace)) o
			CROSS JOIN LATERAL aclexplode(o.acl) a
		WHERE a.grantee <> o.owner ORDER BY 1});
}

# ---- default privileges ---------------------------------------------------------

$node->safe_psql('postgres', 'CREATE DATABASE generous; CREATE ROLE "An Analyst" LOGIN; CREATE ROLE contractor LOGIN IN ROLE "An Analyst"');
$node->safe_psql('generous', q{
	ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO "An Analyst" WITH GRANT OPTION;
	ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC;
	ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO contractor;
	ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON ROUTINES TO "An Analyst" WITH GRANT OPTION;
	ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO contractor, PUBLIC;
	ALTER DEFAULT PRIVILEGES GRANT USAGE ON TYPES TO contractor;
	ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
	CREATE EXTENSION reengage});
create_extension($node, $simulator, server_options => q(default_country_code '1'));
is(rights('generous'), rights('postgres'), 'default privileges give nobody a right');
unlike(rights('generous'), qr/PUBLIC|Analyst|contractor/, 'neither everybody nor a role');
unlike(rights('generous'), qr/ (TRIGGER|REFERENCES|TRUNCATE|CREATE|true)$/m, 'nobody may make triggers, refer to tables, empty them or give rights');

# ---- roles that were there before --------------------------------------------------

$node->safe_psql('postgres', 'CREATE DATABASE second');
like(psql_stderr($node, 'CREATE EXTENSION reengage', database => 'second'), qr/^$/, 'roles without members are taken silently');
$node->safe_psql('second', 'DROP EXTENSION reengage; GRANT reengage_worker TO contractor; GRANT reengage_operator TO "An Analyst" WITH ADMIN OPTION; GRANT pg_monitor TO reengage_reader');
{
	my $said = psql_stderr($node, 'CREATE EXTENSION reengage', database => 'second');
	like($said, qr/role "reengage_worker" was there before: members are contractor$/m, 'members are named');
	like($said, qr/role "reengage_operator" was there before: members are "An Analyst" \(may add others\)/, 'also who may add others');
	like($said, qr/role "reengage_reader" was there before: it is a member of pg_monitor/, 'and what it is a member of');
	unlike($said, qr/reengage_application/, 'the others are not');
}
$node->safe_psql('second', 'DROP EXTENSION reengage; CREATE ROLE chief SUPERUSER; REVOKE reengage_worker FROM contractor; REVOKE reengage_operator FROM "An Analyst"; REVOKE pg_monitor FROM reengage_reader');
for my $right (qw(LOGIN SUPERUSER CREATEROLE CREATEDB REPLICATION BYPASSRLS))
{
	$node->safe_psql('postgres', "ALTER ROLE reengage_application $right");
	like(psql_stderr($node, 'CREATE EXTENSION reengage', database => 'second'),
		qr/ERROR:  role "reengage_application" exists and is more than a group: $right$/m, "a role with $right is refused");
	$node->safe_psql('postgres', "ALTER ROLE reengage_application NO$right");
}
$node->safe_psql('postgres', 'GRANT chief TO reengage_application');
like(psql_stderr($node, 'CREATE EXTENSION reengage', database => 'second'),
	qr/more than a group: a member of superuser chief/, 'so is one that could become a superuser');
$node->safe_psql('postgres', 'REVOKE chief FROM reengage_application; DROP ROLE chief');

# ---- what others put on our tables ---------------------------------------------------

$node->safe_psql('postgres', q{
	CREATE ROLE app LOGIN; GRANT reengage_application TO app;
	CREATE ROLE chief LOGIN; GRANT reengage_operator, reengage_reader TO chief;
	CREATE ROLE landlord LOGIN; ALTER DATABASE postgres OWNER TO landlord; GRANT CREATE ON SCHEMA public TO app, chief, landlord;
	CREATE FUNCTION trap() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped as %', current_user; END $$;
	GRANT EXECUTE ON FUNCTION trap() TO PUBLIC});
my @traps = (
	'CREATE TRIGGER trap BEFORE INSERT ON reengage.%s FOR EACH ROW EXECUTE FUNCTION trap()',
	'CREATE CONSTRAINT TRIGGER trap AFTER DELETE ON reengage.%s DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION trap()',
	'CREATE RULE trap AS ON DELETE TO reengage.%s DO INSTEAD NOTHING',
	'CREATE POLICY trap ON reengage.%s AS RESTRICTIVE USING (false)',
	'ALTER TABLE reengage.%s ENABLE ROW LEVEL SECURITY',
	'CREATE TABLE public.child (nudge_id uuid REFERENCES reengage.%s)',
	'CREATE INDEX ON reengage.%s ((1 / 0))',
	'TRUNCATE reengage.%s');
for my $role (qw(app chief landlord))
{
	my @went_well = grep {
		$node->psql('postgres', "SET SESSION AUTHORIZATION $role; $_") == 0
	} map { my $table = $_; map { sprintf $_, $table } @traps } qw(nudges due lineage);
	is_deeply(\@went_well, [], "$role can put nothing on the tables");
}

is($node->safe_psql('postgres', 'SELECT count(*) FROM reengage_internal.foreign_hands()'), 0, 'health has nothing to say');
$node->safe_psql('postgres', q{
	GRANT USAGE ON SCHEMA reengage TO landlord;
	GRANT TRIGGER, REFERENCES ON reengage.due TO landlord;
	SET SESSION AUTHORIZATION landlord;
	CREATE CONSTRAINT TRIGGER trap AFTER DELETE ON reengage.due DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION trap();
	CREATE TABLE public.child (nudge_id uuid REFERENCES reengage.due);
	RESET SESSION AUTHORIZATION;
	CREATE RULE trap AS ON INSERT TO reengage.intents WHERE false DO INSTEAD NOTHING;
	ALTER TABLE reengage.answers ENABLE ROW LEVEL SECURITY;
	CREATE POLICY trap ON reengage.nudges FOR DELETE USING (false);
	ALTER TABLE reengage.changes DISABLE TRIGGER append_only});
like(health($node, 'trigger trap on reengage.due'), qr/^attention: somebody has made it: it runs public.trap\(\) .* deferred/, 'a trigger that was allowed is named');
like(health($node, 'foreign key child_nudge_id_fkey of public.child'), qr/refers to reengage.due/, 'a foreign key');
like(health($node, 'rule trap on reengage.intents'), qr/somebody has made it/, 'a rule');
like(health($node, 'row-level security of reengage.answers'), qr/enabled/, 'row-level security');
like(health($node, 'policy trap on reengage.nudges'), qr/hides rows/, 'a policy');
like(health($node, 'trigger append_only on reengage.changes'), qr/disabled/, 'a trigger of ours that is disabled');
like(health($node, 'privileges on reengage.due'), qr/landlord may .*\(REFERENCES, TRIGGER\)/, 'and the privilege');

nudge($node, 'live-trapped');
wait_for(sub { health($node, 'worker') =~ /^failing: cannot fire deferred trigger/ }, 'a deferred trigger is not run, with nobody\'s rights');
# as the remedies say
$node->safe_psql('postgres', $_) for map { s/^Unless you need it: //r } split /\n/,
  $node->safe_psql('postgres', 'SELECT remedy FROM reengage_internal.foreign_hands()');
is($node->safe_psql('postgres', 'SELECT count(*) FROM reengage_internal.foreign_hands()'), 0, 'the remedies are ones');
wait_until_ended($node);
like(outcome($node, 'live-trapped'), qr/^(notified|in_doubt)/, 'and all goes on');

# ---- triggers that are off ---------------------------------------------------------------

is(health($node, 'schedule'), '', 'every nudge is due or has ended');
$node->safe_psql('postgres', q{SET session_replication_role = replica;
	INSERT INTO reengage.nudges (conversation_id, message) VALUES ('live-unseen-1', 'hi'), ('live-unseen-2', 'hi')});
like(health($node, 'schedule'), qr/^attention: 2 of the newest 1000 nudges are neither due nor ended/, 'nudges that no trigger saw are named');
$node->safe_psql('postgres', $node->safe_psql('postgres', "SELECT split_part(remedy, ';', 1) FROM reengage.health WHERE subject = 'schedule'"));
wait_until_ended($node);
is(health($node, 'schedule'), '', 'and are sent after the remedy');

# ---- somebody else's publications ------------------------------------------------------

$node->safe_psql('postgres', q{
	SET SESSION AUTHORIZATION landlord;
	CREATE PUBLICATION bait WITH (publish = 'insert', publish_via_partition_root = true);
	COMMENT ON PUBLICATION bait IS 'made by reengage.publish()'});
like(psql_stderr($node, "SET ROLE reengage_operator; SELECT reengage.publish('bait')"),
	qr/publication "bait" is not one that reengage may change\nDETAIL:  reengage.publish\(\) did not make it, or it was given away: it belongs to landlord/,
	'a publication of somebody else does not get the lineage, whatever it says');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_publication_rel"), 0, 'nor anything else');
is($node->safe_psql('postgres', "SET ROLE reengage_operator; SELECT reengage.publish('ours'), reengage.publish('ours')"), 'created|ok', 'one of ours does');
$node->safe_psql('postgres', 'CREATE PUBLICATION everything FOR ALL TABLES; CREATE PUBLICATION schema FOR TABLES IN SCHEMA reengage; CREATE PUBLICATION one FOR TABLE reengage.address_key');
for my $publication (qw(everything schema one))
{
	like($node->safe_psql('postgres', "SELECT state || ': ' || detail FROM reengage.replication_check() WHERE check_name = 'publication $publication'"),
		qr/^failed: carries reengage.address_key/, "replication_check() fails the publication $publication");
}

# ---- nulls where nobody expects them --------------------------------------------------------

# Readers may call some of what views are made of: an error may come, but no crash of everybody's.
my @calls = split /\n/, $node->safe_psql('postgres', q{
	SELECT format('SELECT %s(%s)', p.oid::regproc, (SELECT string_agg('NULL::' || format_type(t, NULL), ', ' ORDER BY n) FROM unnest(p.proargtypes) WITH ORDINALITY a (t, n)))
	FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
	WHERE p.pronamespace IN ('reengage'::regnamespace, 'reengage_internal'::regnamespace) AND l.lanname = 'c'
	  AND NOT p.proisstrict AND p.prokind = 'f' AND p.prorettype <> 'trigger'::regtype AND p.pronargs > 0});
cmp_ok(scalar @calls, '>', 3, 'functions that take a null: ' . @calls);
for my $role (qw(reengage_reader reengage_operator reengage_application reengage_worker))
{
	isnt($node->psql('postgres', "SET ROLE $role; $_"), 2, "$role: $_") for @calls;
}

$node->stop('fast');
done_testing();
