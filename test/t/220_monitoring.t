# docs/monitoring as a DBA uses it: what the README says is run, the exporters that
# are here deliver each metric, Prometheus gives each its name, the alerts fire and
# do not, and each query of the board has an answer.

use strict;
use warnings FATAL => 'all';

use Board qw(draw_board);
use FindBin;
use HTTP::Tiny;
use JSON::PP qw(decode_json);
use PostgreSQL::Test::Utils;
use Programs qw(program start_program why_missing);
use Reengage qw(start_simulator new_node create_extension wait_for wait_until_ended);
use Test::More;

my $folder = "$FindBin::RealBin/../../docs/monitoring";
my %file = map { $_ => slurp_file("$folder/$_") } map { s{.*/}{}r } glob "$folder/*.{yml,json,sql,md}";
my $work = PostgreSQL::Test::Utils::tempdir();

my $node = new_node('main', preload => 1, servers => [qw(genesys held)], init => { allows_streaming => 'logical' }, conf => "reengage.retention = '30d'");
my $simulator = start_simulator();
create_extension($node, $simulator);
$node->safe_psql('postgres', qq{
	CREATE SERVER shut FOREIGN DATA WRAPPER reengage OPTIONS (api_url 'http://127.0.0.1:9', auth 'none', max_failures '1');
	CREATE SERVER held FOREIGN DATA WRAPPER reengage OPTIONS (api_url '$simulator->{url}');
	SELECT reengage.pause('held', 'a test');
	SELECT pg_create_logical_replication_slot('warehouse', 'pgoutput')});

sub sql { my ($sql, $role) = @_; return $node->safe_psql('postgres', $sql, defined $role ? (extra_params => [ '-U', $role ]) : ()); }

# --- what the README says -------------------------------------------------------------------

my @blocks = $file{'README.md'} =~ /^```sql\n(.*?)^```$/gms;
cmp_ok(scalar(@blocks), '>=', 1, 'the README has SQL');
is(($node->psql('postgres', $_, on_error_stop => 1))[2], '', 'it runs: ' . (split /\n/)[0]) for @blocks;
cmp_ok(sql('SELECT count(*) FROM reengage.metrics', 'prometheus'), '>', 5, 'its role reads the metrics');
cmp_ok(sql('SELECT count(*) FROM reengage.health', 'prometheus'), '>', 1, 'and the health');
is(($node->psql('postgres', 'SELECT reengage.disarm()', extra_params => [ '-U', 'prometheus' ]))[0], 3, 'and may change nothing');

# --- the files agree with each other and with the metrics -------------------------------------

my %query = map { $_ => $file{$_} =~ /^( *)(?:- )?query: \|\n((?:\1 .*\n)+?)(?=\1\S|\z|\s*metrics:)/m ? $2 =~ s/^ +//gmr : '' }
  qw(postgres_exporter.yml sql_exporter.yml reengage.collector.yml);
like($query{'postgres_exporter.yml'}, qr/^SELECT .*FROM reengage\.health h$/s, 'the query for an exporter is found');
is($query{$_}, $query{'postgres_exporter.yml'}, "$_ asks the same") for qw(sql_exporter.yml reengage.collector.yml);

# As an exporter names them.
my ($columns) = $query{'postgres_exporter.yml'} =~ /\A(.*?)FROM/s;
my @labels = grep { $_ ne 'value' } map { s/.* AS //r } split /,\n\s*/, $columns =~ s/\s*\z//r =~ s/m\.value/value/r;
is_deeply([ $file{'postgres_exporter.yml'} =~ /- (\w+): \{usage: LABEL/g ], \@labels, 'postgres_exporter knows the labels');
is_deeply([ split /, /, ($file{$_} =~ /labels: \[(.*)\]/)[0] ], \@labels, "$_ knows them") for qw(sql_exporter.yml reengage.collector.yml);
is(sql(q{SELECT string_agg(DISTINCT l.key, ' ') FROM reengage.metrics m, jsonb_object_keys(m.labels) l (key)
		WHERE 'reengage_' || l.key <> ALL (string_to_array('} . "@labels" . q{', ' ')) AND l.key <> ALL (string_to_array('} . "@labels" . q{', ' '))}), '',
	'the exporters are asked for each label that a metric has');

# --- Prometheus' own checks -----------------------------------------------------------------------

sub promtool
{
	my ($what, $input, @arguments) = @_;
	my $output = '';

	my $success = IPC::Run::run([ program('promtool'), @arguments ], '<', \$input, '>&', \$output);
	ok($success, $what) or diag($output);
	return;
}

SKIP:
{
	skip why_missing('promtool'), 4 if why_missing('promtool');

	my $text = sql($file{'textfile.sql'} =~ s/^\\set.*\n//mr, 'prometheus') . "\n";
	like($text, qr/^reengage_nudges_ended_total\{datname="postgres",outcome="notified",server="genesys"\} \d+$/m, 'textfile.sql says what happened') or diag($text);
	promtool('promtool finds nothing against names, kinds and labels', $text, 'check', 'metrics');
	promtool('and the alert rules are rules', '', 'check', 'rules', "$folder/reengage.rules.yml");
	promtool('that fire when they should, and only then', '', 'test', 'rules', "$FindBin::RealBin/../monitoring/rules.yml");
}

# --- exporters, and Prometheus, beside a real run -----------------------------------------------------

my $socket = $node->host;
my $database = "host=$socket port=" . $node->port;

sub start_exporter
{
	my ($program, $environment, @arguments) = @_;
	my $port = PostgreSQL::Test::Cluster::get_free_port();

	start_program($program, $environment, @arguments ? $arguments[0] . "127.0.0.1:$port" : (), @arguments[1 .. $#arguments]);
	ok(wait_for(sub { HTTP::Tiny->new->get("http://127.0.0.1:$port/metrics")->{content} =~ /reengage_armed/ }, "$program delivers"),
		"$program delivers the metrics");
	return $port;
}

sub own_config
{
	my ($name, @changes) = @_;
	my $text = $file{$name};

	while (my ($from, $to) = splice @changes, 0, 2)
	{
		$text =~ s/\Q$from\E/$to/ or die "$name has no $from";
	}
	append_to_file("$work/$name", $text);
	return "$work/$name";
}

my %port;
SKIP:
{
	my $missing = why_missing('prometheus-postgres-exporter');

	skip $missing, 1 if $missing;
	$port{postgres} = start_exporter('prometheus-postgres-exporter', { DATA_SOURCE_NAME => "user=prometheus $database dbname=postgres" },
		'--web.listen-address=', "--extend.query-path=$folder/postgres_exporter.yml");
}
SKIP:
{
	my $missing = why_missing('prometheus-sql-exporter');

	skip $missing, 1 if $missing;
	$port{sql} = start_exporter('prometheus-sql-exporter',
		{ CONFIG => own_config('sql_exporter.yml', '/shop?host=/run/postgresql' => "/postgres?host=$socket&port=" . $node->port, '15s' => '1s') },
		'-web.listen-address=');
}
SKIP:
{
	my $missing = why_missing('sql_exporter');

	skip $missing, 1 if $missing;
	append_to_file("$work/sql_exporter.own.yml", qq{target:
  data_source_name: "postgres+unix://prometheus\@$socket:} . $node->port . qq{/postgres"
  collectors: [reengage]
collector_files: ["$folder/reengage.collector.yml"]
});
	$port{collector} = start_exporter('sql_exporter', {}, '-web.listen-address=', "-config.file=$work/sql_exporter.own.yml");
}

my $prometheus;

# An answer of Prometheus' API, decoded.
sub ask
{
	my ($path, %parameters) = @_;
	my $http = HTTP::Tiny->new(timeout => 60);
	my $reply = $http->get("$prometheus/api/v1/$path?" . $http->www_form_urlencode(\%parameters));

	return eval { decode_json($reply->{content}) } // { status => 'none', error => $reply->{content} };
}

sub answer { my ($query) = @_; return @{ ask('query', query => $query)->{data}{result} // [] }; }

# "name{label="value",...}" of each series, without what the exporter and Prometheus add.
sub series_of
{
	my ($instance) = @_;

	return sort map {
		my %labels = %{ $_->{metric} };
		my $name = delete $labels{__name__};
		delete @labels{qw(instance job datname)}, $instance eq 'sql' ? delete @labels{qw(driver host database user col sql_job)} : ();
		delete $labels{server} if ($labels{server} // '') =~ /:/;
		$name . '{' . join(',', map { qq{$_="$labels{$_}"} } sort keys %labels) . '}';
	} answer(qq({__name__=~"reengage_.+",instance="127.0.0.1:$port{$instance}"}));
}

sub series_of_views
{
	return sort split /\n/, sql(q{
		SELECT m.name || '{' || coalesce((SELECT string_agg(format('%s="%s"', l.key, l.value), ',' ORDER BY l.key COLLATE "C") FROM jsonb_each_text(m.labels) l), '') || '}'
		FROM reengage.metrics m UNION ALL
		SELECT format('reengage_health{severity="%s",state="%s",subject="%s"}', h.severity, h.state, h.subject) FROM reengage.health h});
}

my $asked = 0;

# Half of them to conversations that are closed, one to a server that is shut.
sub send_some
{
	my $from = $asked + 1;
	$asked += 20;

	sql(qq{INSERT INTO reengage.nudges (conversation_id, message)
		SELECT CASE WHEN n % 2 = 0 THEN 'live-' ELSE 'closed-' END || n, 'x' FROM generate_series($from, $asked) n});
	return;
}

# With the variables of the board as Grafana fills them in: one instance, and all of it.
sub query_of_board
{
	my ($expression) = @_;
	my $instance = '127.0.0.1:' . (map { $port{$_} } sort keys %port)[0];

	return $expression =~ s/\$__rate_interval/1m/gr =~ s/"\$instance"/"$instance"/gr =~ s/"\$(?:datname|server)"/".*"/gr;
}

sub has_answer { my ($query) = @_; send_some(); return scalar answer($query); }

SKIP:
{
	my $missing = why_missing('prometheus') || (%port ? '' : 'no exporter is here');
	my $board = decode_json($file{'grafana.json'});
	my @targets = map { my $panel = $_; map { [ $panel->{title}, $_ ] } @{ $panel->{targets} } } @{ $board->{panels} };
	my @variables = grep { $_->{type} eq 'query' } @{ $board->{templating}{list} };

	skip $missing, 2 * keys(%port) + @targets + @variables + 3 if $missing;

	my $http_port = PostgreSQL::Test::Cluster::get_free_port();
	my $config = own_config('prometheus.yml', 'localhost:9187' => join(', ', map { "127.0.0.1:$_" } sort values %port),
		'scrape_configs:' => "global: {scrape_interval: 1s, evaluation_interval: 1s}\n\nscrape_configs:",
		'  - reengage.rules.yml' => "  - $folder/reengage.rules.yml");
	start_program('prometheus', {}, "--config.file=$config", "--storage.tsdb.path=$work/prometheus", "--web.listen-address=127.0.0.1:$http_port", '--log.level=warn');
	$prometheus = "http://127.0.0.1:$http_port";
	ok(wait_for(sub { answer('count(reengage_up) == ' . keys %port) }, 'Prometheus scrapes'), 'Prometheus scrapes what is here');

	sql(q{INSERT INTO reengage.nudges (server, conversation_id, message) SELECT s, s || n, 'x' FROM unnest('{shut,held}'::text[]) s, generate_series(1, 3) n});
	$simulator->fault(verb => 'check', action => 'status', status => 429, retry_after => '1', times => 1);
	send_some();
	wait_until_ended($node, where => "n.server = 'genesys'");
	ok(wait_for(sub { answer('reengage_server_state{server="shut",state="blocked"} == 1') }, 'the blocked server shows'), 'a server that is blocked shows');

	for my $instance (sort keys %port)
	{
		my ($there, $here);

		wait_for(sub { ($there, $here) = (join("\n", series_of($instance)), join("\n", series_of_views())); $there eq $here }, 'they are equal');
		is($there, $here, "$instance: each row of metrics and health is a series, under its name");
		is(ask('query', query => "min(count by (__name__) ({instance=\"127.0.0.1:$port{$instance}\",__name__=~\"reengage_.+\"}))")->{status}, 'success',
			"$instance: as Prometheus can count");
	}
	for my $variable (@variables)
	{
		my ($selector, $label) = $variable->{query}{query} =~ /^label_values\((.*), (\w+)\)$/;
		my @values = map { $_->{metric}{$label} } answer('group by (' . $label . ') (' . query_of_board($selector) . ')');

		cmp_ok(scalar(@values), '>=', 1, "the board's variable $variable->{name} has values: @values");
	}
	for my $target (@targets)
	{
		my ($title, $query) = ($target->[0], query_of_board($target->[1]{expr}));

		ok(wait_for(sub { has_answer($query) }, $query), "$title: $target->[1]{refId} has an answer") or diag(JSON::PP->new->encode(ask('query', query => $query)));
	}
	my @alerts = map { $_->{labels}{alertname} . ' ' . ($_->{labels}{server} // '') } @{ ask('alerts')->{data}{alerts} };
	ok((grep { $_ eq 'ReengageServerBlocked shut' } @alerts), 'the alert of the blocked server is pending') or diag(join "\n", @alerts);
	if ($ENV{BOARD_SVG})
	{
		wait_for(sub { has_answer('max(count_over_time(reengage_up[10m])) >= 180') }, 'there is something to see');
		draw_board($board, $ENV{BOARD_SVG}, \&ask, \&query_of_board, 180);
	}
}

$node->stop;
done_testing();
