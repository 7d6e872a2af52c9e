# Certificates of an authority of our own, and simulators that have them.
package Certificates;

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use Reengage qw(start_simulator);

use Exporter 'import';
our @EXPORT_OK = qw(certificate_folder certificate start_tls);

my $folder;

sub openssl
{
	my (@arguments) = @_;
	PostgreSQL::Test::Utils::system_log('openssl', @arguments) == 0 or die "openssl @arguments failed";
	return;
}

sub make_key_and
{
	my ($name, @arguments) = @_;
	openssl('req', '-newkey', 'rsa:2048', '-nodes', '-keyout', "$folder/$name.key", '-subj', "/CN=$name", @arguments);
	return;
}

# Where they are; ca.pem is the authority's own.
sub certificate_folder
{
	return $folder if defined $folder;
	$folder = PostgreSQL::Test::Utils::tempdir();
	write_settings();
	make_key_and('ca', '-x509', '-days', 2, '-out', "$folder/ca.pem");
	return $folder;
}

sub write_settings
{
	append_to_file("$folder/index", '');
	append_to_file("$folder/ca.cnf", <<"END");
[ca]
default_ca = own
[own]
database = $folder/index
new_certs_dir = $folder
rand_serial = yes
unique_subject = no
default_md = sha256
policy = any
copy_extensions = copy
[any]
commonName = supplied
END
	return;
}

# The name of a file with a certificate for these names and its key, as a server needs it.
sub certificate
{
	my ($name, $names, %options) = @_;
	my @validity = $options{expired} ? ('-startdate', '20200101000000Z', '-enddate', '20210101000000Z') :
	  ('-days', $options{days} // 2);

	certificate_folder();
	if ($options{self_signed})
	{
		make_key_and($name, '-x509', '-days', 2, '-addext', "subjectAltName=$names", '-out', "$folder/$name.crt");
	}
	else
	{
		make_key_and($name, '-addext', "subjectAltName=$names", '-out', "$folder/$name.csr");
		openssl('ca', '-batch', '-notext', '-config', "$folder/ca.cnf", '-cert', "$folder/ca.pem",
			'-keyfile', "$folder/ca.key", '-in', "$folder/$name.csr", '-out', "$folder/$name.crt", @validity);
	}
	append_to_file("$folder/$name.pem", slurp_file("$folder/$name.crt") . slurp_file("$folder/$name.key"));
	return "$folder/$name.pem";
}

# A simulator that listens with TLS, too: at ->{tls_port}.
sub start_tls
{
	my ($certificate, @options) = @_;
	my $file = PostgreSQL::Test::Utils::tempdir() . '/tls_port';
	my $simulator = start_simulator('--tls-certificate', $certificate, '--tls-port-file', $file, @options);

	chomp($simulator->{tls_port} = slurp_file($file));
	return $simulator;
}

1;
