# report(): a page that stays what it is, whoever named the campaign, in whatever
# encoding; and what a browser makes of it.

use strict;
use warnings FATAL => 'all';

use FindBin;
use IPC::Run ();
use JSON::PP ();
use Listener qw(start_listener);
use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended outcome);
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = start_simulator();
my $node = new_node('main', preload => 1);
my $folder = PostgreSQL::Test::Utils::tempdir();

# Whatever asks for something here wrote down what.
my $asked = "$folder/asked";
append_to_file($asked, '');
my ($leak) = start_listener(converse => sub {
	my ($client) = @_;
	my $line = <$client> // '';
	append_to_file($asked, $line);
	print $client "HTTP/1.0 204 No Content\r\n\r\n";
});

sub quoted { return "'" . $_[0] =~ s/'/''/gr . "'"; }

# The page as its bytes, for whoever may be asked.
sub report
{
	my ($campaign, %options) = @_;
	my $since = $options{since} ? ", $options{since}" : '';

	return $node->safe_psql($options{database} // 'postgres',
		"SET ROLE reengage_reader; SET timezone = 'America/St_Johns'; SELECT reengage.report(" . quoted($campaign) . "$since)");
}

sub page
{
	my ($name, $text) = @_;
	my $file = "$folder/$name.html";

	append_to_file($file, $text);
	return $file;
}

sub is_well_formed
{
	my ($html, $name, %options) = @_;
	my $delimiter = '$page$';
  SKIP:
	{
		skip 'this PostgreSQL was built without libxml', 1 unless $node->config_data('--configure') =~ /--with-libxml/;
		is($node->safe_psql($options{database} // 'postgres', "SELECT xml_is_well_formed_document($delimiter$html$delimiter)"), 't', "$name: it is well-formed XML");
	}
	unlike($html, qr/[^\n -~]/, "$name: it is ASCII");
	return;
}

# ---- a campaign of which all that can be said is said ------------------------------------------

# it gets out of text, of attributes, of comments, of style, and of scripts
my $hostile = qq{</title></style>--></svg>"><script>document.title = "taken"</script><img src=http://127.0.0.1:$leak/image onerror="alert(1)">}
  . qq{<style>\@import url(http://127.0.0.1:$leak/style);</style>'&amp;\\x\xC3\xBC\xE2\x80\xAE\xF0\x9F\x98\x80};
my $server = q{messages" onload="alert(2)"><svg/onload=alert(3)>&};

create_extension($node, $simulator);
$node->safe_psql('postgres', sprintf q{CREATE SERVER "%s" FOREIGN DATA WRAPPER reengage OPTIONS (api_url 'http://127.0.0.1:1', auth 'none', max_requests_per_minute '60')},
	$server =~ s/"/""/gr);
$node->safe_psql('postgres', 'SELECT reengage.pause(' . quoted($server) . ', ' . quoted("<link rel=stylesheet href=//127.0.0.1:$leak/link>") . ')');
$simulator->fault(id => 'live-doubt', verb => 'notify', action => 'status_after', status => 500);
$simulator->fault(id => 'live-refused', verb => 'notify', action => 'status', status => 400, body => '{"message":"no"}');
my %as = (campaign => quoted($hostile));
my @customers = (map { ("live-$_", "closed-$_") } 1 .. 6);
nudge($node, $_, %as) for @customers, 'live-doubt', 'live-refused';
nudge($node, "later-$_", %as, due_at => "now() + '1 day'", server => quoted($server)) for 1 .. 3;
wait_until_ended($node, where => "n.conversation_id NOT LIKE 'later-%'");
like(outcome($node, 'live-doubt'), qr/^in_doubt/, 'one is in doubt');
$node->safe_psql('postgres', "SELECT reengage.record_answer('closed-1'), reengage.record_answer('live-1')");

my $html = report($hostile);
is_well_formed($html, 'a hostile name');
is_deeply([ grep { /^<(script|img|link|iframe|object|embed|form|a)\b|\son\w+=|\b(href|src)=/i } $html =~ /<[^>]*>/g ], [], 'nothing that was in the name is more than text');
like($html, qr/<title>Campaign &#60;\/title&#62;/, 'and all of it is there');
like($html, qr/&#252;&#65533;&#128512;<\/bdi>/, 'but for what turns text round');
unlike($html, qr/\+1317|Are you still there|live-1|closed-1/, 'no customer, message or conversation is named');
like($html, qr/Times are in America\/St_Johns \(UTC-0[23]:30\)/, 'the time zone is named');
like($html, qr{<tr><th scope="row">$_</tr>}, 'numbers: ' . s/<.*?>|&#160;/ /gr) for
  'asked for</th><td>17</td><td>100.0&#160;%</td><td>&#8211;</td>',
  'conversation looked at</th><td>14</td><td>82.4&#160;%</td><td>82.4&#160;%</td>',
  'sent</th><td>12</td><td>70.6&#160;%</td><td>85.7&#160;%</td>',
  'answered afterwards</th><td>2</td><td>11.8&#160;%</td><td>16.7&#160;%</td>';
like($html, qr{<th scope="row">refused: the messaging service answered 400</th><td>1</td>}, 'what was refused, and why');
like($html, qr{<th scope="row"><bdi>messages&#34; onload=[^<]*</bdi></th><td>60</td><td>0</td>.*unknown, as long as it is not called}, 'a server, its limit, and that it is paused');
like($html, qr{<caption>In doubt</caption>.*<td>1</td>}s, 'what is in doubt');

# what was resolved is what was found out
$node->safe_psql('postgres', q{SELECT reengage.resolve(lineage_id, 'sent') FROM reengage.in_doubt});
like(report($hostile), qr{<tr><th scope="row">sent</th><td>13</td>.*Nothing: of each message it is known}s, 'a doubt that was resolved counts once');

# as the documents say
my ($command) = join('', map { slurp_file($_) } glob "$FindBin::RealBin/../../docs/*.md $FindBin::RealBin/../../docs/*/*.md") =~ /^(psql .*reengage\.report\('abandoned cart'\).*)$/m;
{
	local %ENV = (%ENV, PGHOST => $node->host, PGPORT => $node->port, PGDATABASE => 'postgres', PGCLIENTENCODING => 'LATIN1');

	nudge($node, 'later-cart', campaign => "'abandoned cart'", due_at => "now() + '1 day'");
	is(system("cd '$folder' && $command"), 0, 'the command that the documents have');
	like(slurp_file("$folder/report.html"), qr/^<!DOCTYPE html>.*<bdi>abandoned cart<.*Europe\/Berlin.*<\/html>\n+$/s, 'makes a page, and nothing but that');
}

# ---- encodings -----------------------------------------------------------------------------------

for (
	[ 'LATIN1', 'caf\351 <b>', 'caf&#233; &#60;b&#62;' ],
	[ 'EUC_JP', '\306\374\313\334 <b>', '&#26085;&#26412; &#60;b&#62;' ],
	[ 'SQL_ASCII', '\303\251 <b>', '&#233; &#60;b&#62;' ])
{
	my ($encoding, $bytes, $expected) = @$_;
	my $database = lc $encoding;
	my $name = "convert_from('$bytes'::bytea, '$encoding')";

	$node->safe_psql('postgres', "CREATE DATABASE $database TEMPLATE template0 ENCODING $encoding");
	create_extension($node, $simulator, database => $database, disarmed => 1);
	nudge($node, 'live-1', database => $database, campaign => $name);
	my $said = $node->safe_psql($database, "SET client_encoding = SQL_ASCII; SELECT reengage.report($name)");
	like($said, qr/<h1><bdi>\Q$expected\E<\/bdi><\/h1>/, "$encoding: a name is what it was");
	is_well_formed($said, $encoding, database => $database);
}
is($node->safe_psql('sql_ascii', q{SELECT reengage_internal.html(convert_from('caf\351 <', 'SQL_ASCII'))}), 'caf&#65533; &#60;', 'bytes that mean nothing are no letters');

# ---- a browser -----------------------------------------------------------------------------------

my ($chromium) = grep { -x } map { ("$_/chromium", "$_/chromium-browser") } split /:/, $ENV{PATH};

# What it prints and what it complains of.
sub browse
{
	my ($file, @options) = @_;
	my ($out, $err) = ('', '');

	# who runs this may be root, or in a container; and it must not ask its makers for anything
	IPC::Run::run([ $chromium, qw(--headless --no-sandbox --disable-gpu --disable-dev-shm-usage --hide-scrollbars --no-first-run
		  --disable-background-networking --disable-component-update --disable-sync --enable-logging=stderr),
		"--user-data-dir=$folder/browser", @options, "file://$file" ],
		'>', \$out, '2>', \$err, IPC::Run::timeout(300)) or diag("Chromium ended with $?: $err");
	return ($out, join "\n", grep { /CONSOLE/ } split /\n/, $err);
}

# Width and height of a PNG.
sub size_of { return unpack 'x16 N2', slurp_file($_[0]); }

# What a script finds out of the page, when that may run one.
my $measure = <<'EOS';
<script>
const found = [], box = e => e.getBoundingClientRect();
if (document.documentElement.scrollWidth > document.documentElement.clientWidth)
	found.push('wider than the window: ' + document.documentElement.scrollWidth);
for (const svg of document.querySelectorAll('svg')) {
	const all = box(svg), texts = [...svg.querySelectorAll('text')];
	if (!svg.getAttribute('aria-hidden') && !(svg.querySelector('title').textContent && svg.querySelector('desc').textContent))
		found.push('a picture without words');
	for (const e of svg.querySelectorAll('text, rect, line')) {
		const b = box(e);
		if (e.closest('defs')) continue;
		if (b.left < all.left - 1 || b.right > all.right + 1 || b.top < all.top - 1 || b.bottom > all.bottom + 1) found.push('outside: ' + e.outerHTML);
	}
	for (const [i, a] of texts.entries()) for (const b of texts.slice(i + 1)) {
		const s = box(a), t = box(b);
		if (s.left < t.right && t.left < s.right && s.top < t.bottom && t.top < s.bottom) found.push('texts overlap: ' + a.textContent + ', ' + b.textContent);
	}
}
// as WCAG has it
const light = c => { const [r, g, b] = c.match(/[0-9.]+/g).slice(0, 3).map(v => v / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
	return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
const contrast = (a, b) => { const [s, t] = [light(a), light(b)]; return (Math.max(s, t) + 0.05) / (Math.min(s, t) + 0.05); };
const paper = getComputedStyle(document.body).backgroundColor;
for (const e of document.querySelectorAll('svg rect:not(.rail):not(.stripe), svg text, p, th, td, h1, h2, dt, dd')) {
	const style = getComputedStyle(e), colour = e.closest('svg') ? style.fill : style.color, least = e.matches('rect') ? 3 : 4.5;
	const on = e.matches('.alert') ? style.backgroundColor : e.closest('.tile') ? getComputedStyle(e.closest('.tile')).backgroundColor : paper;
	if (colour.startsWith('rgb') && contrast(colour, on) < least) found.push('faint: ' + e.outerHTML);
}
for (const section of document.querySelectorAll('section'))
	if (section.querySelector('svg.figure') && !section.querySelector('table')) found.push('a figure without its table');
for (const e of document.querySelectorAll('h1, h2, p, caption, th, dt'))
	if (e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0) found.push('cut: ' + e.textContent);
const facts = { found, title: document.title, name: document.querySelector('h1').textContent, sections: document.querySelectorAll('section').length,
	h1: box(document.querySelector('h1')).height > 0 };
const pre = document.createElement('pre'); pre.id = 'facts'; pre.textContent = btoa(unescape(encodeURIComponent(JSON.stringify(facts)))); document.body.append(pre);
</script>
EOS

sub measured
{
	my ($name, $text, @options) = @_;
	my ($dom) = browse(page($name, $text =~ s/<meta http-equiv="Content-Security-Policy"[^>]*>//r =~ s/<\/body>/$measure<\/body>/r), '--dump-dom', @options);
	my ($facts) = $dom =~ /<pre id="facts">([^<]*)</ or return { found => ['nothing'] };

	require MIME::Base64;
	return JSON::PP::decode_json(MIME::Base64::decode_base64($facts));
}

SKIP:
{
	skip 'there is no Chromium (of Debian: chromium)', 14 unless $chromium;

	my ($dom, $complaints) = browse(page('hostile', $html), '--dump-dom');
	like($dom, qr/<\/footer>/, 'a browser shows all of the page');
	is($complaints, '', 'and has nothing to complain of');
	is(slurp_file($asked), '', 'it asks for nothing');
	# the same browser would have
	(undef, $complaints) = browse(page('guarded', $html =~ s/<main>/<main><img src="http:\/\/127.0.0.1:$leak\/guarded">/r), '--dump-dom');
	like($complaints, qr/Content Security Policy/, 'nor would it, if the name had got through: it complains');
	is(slurp_file($asked), '', 'and asks for nothing');
	browse(page('open', $html =~ s/<meta http-equiv[^>]*>//r =~ s/<main>/<main><img src="http:\/\/127.0.0.1:$leak\/open">/r), '--dump-dom');
	like(slurp_file($asked), qr/^GET \/open /, 'which is seen when it does');

	my @night = '--blink-settings=preferredColorScheme=0';
	for ([ 'wide', '--window-size=1280,2000' ], [ 'narrow', '--window-size=500,2000', @night ])
	{
		my ($name, @options) = @$_;
		my $facts = measured($name, $html, @options);

		is_deeply($facts->{found}, [], "$name: nothing is cut, overlaps, is faint, or wider than the window");
		is_deeply([ @$facts{qw(sections h1)} ], [ 6, JSON::PP::true ], "$name: all parts are there");
		next unless $name eq 'wide';
		is($facts->{title}, "Campaign $facts->{name}", 'the title is the campaign');
		like($facts->{name}, qr/^<\/title><\/style>-->.*<script>/, 'by the name that it was given');
	}
	for ([ 'day' ], [ 'night', @night ])
	{
		my ($name, @options) = @$_;
		my $picture = "$folder/$name.png";

		browse("$folder/hostile.html", '--window-size=1000,1600', "--screenshot=$picture", @options);
		is_deeply([ -s $picture ? size_of($picture) : () ], [ 1000, 1600 ], "a picture by $name");
	}
}

$node->stop('fast');
done_testing();
