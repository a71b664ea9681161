# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_amaters_cli_global_optspecs
    string join \n profile= config= a/address= c/collection= timeout= metrics= token= token-file= api-key= api-key-file= api-key-header= tls tls-ca= tls-cert= tls-key= tls-server-name= o/output= color= h/help V/version
end

function __fish_amaters_cli_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_amaters_cli_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_amaters_cli_using_subcommand
    set -l cmd (__fish_amaters_cli_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c amaters-cli -n "__fish_amaters_cli_needs_command" -l profile -d 'Take the settings of this profile of the configuration file' -r
complete -c amaters-cli -n "__fish_amaters_cli_needs_command" -l config -d 'Read this configuration file; by default ~/.config/amaters/cli.toml, if it is there' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_needs_command" -s a -l address -d 'Where the server is: HOST:PORT, http://HOST:PORT, or https://HOST:PORT for TLS; by default 127.0.0.1:7878' -r
complete -c amaters-cli -n "__fish_amaters_cli_needs_command" -s c -l collection -d 'The collection, by default "default"' -r
complete -c amaters-cli -n "__fish_amaters_cli_needs_command" -l timeout -d 'Wait so long for an answer, by default 30 s; scans, exports and imports have no such bound' -r
complete -c amaters-cli -n "__fish_amaters_cli_needs_command" -l metrics -d 'Where the server\'s metrics are, by default port 9090 of its host' -r
complete -c amaters-cli -n "__fish_amaters_cli_needs_command" -l token -d 'Send this token (JWT). Others may see it in the list of processes: better use --token-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_needs_command" -l token-file -d 'Send the token that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_needs_command" -l api-key -d 'Send this API key. Others may see it in the list of processes: better use --api-key-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_needs_command" -l api-key-file -d 'Send the API key that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_needs_command" -l api-key-header -d 'Send the API key in this header, by default x-api-key' -r
complete -c amaters-cli -n "__fish_amaters_cli_needs_command" -l tls-ca -d 'Trust the certificate authorities of this file (PEM) instead of those of the system' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_needs_command" -l tls-cert -d 'Show this client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_needs_command" -l tls-key -d 'The private key of the client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_needs_command" -l tls-server-name -d 'Expect the server\'s certificate to be for this name, instead of the host of the address' -r
complete -c amaters-cli -n "__fish_amaters_cli_needs_command" -s o -l output -d 'How answers are printed' -r -f -a "table\t'Lines and columns for people'
json\t'One JSON document'
yaml\t'One YAML document'"
complete -c amaters-cli -n "__fish_amaters_cli_needs_command" -l color -d 'Whether to use colours; NO_COLOR in the environment means never' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c amaters-cli -n "__fish_amaters_cli_needs_command" -l tls -d 'Use TLS, also where the address does not begin with https://'
complete -c amaters-cli -n "__fish_amaters_cli_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c amaters-cli -n "__fish_amaters_cli_needs_command" -s V -l version -d 'Print version'
complete -c amaters-cli -n "__fish_amaters_cli_needs_command" -f -a "set" -d 'Store a value'
complete -c amaters-cli -n "__fish_amaters_cli_needs_command" -f -a "get" -d 'Print the value of a key; exit status 3 if it has none'
complete -c amaters-cli -n "__fish_amaters_cli_needs_command" -f -a "delete" -d 'Remove keys; says how many had a value'
complete -c amaters-cli -n "__fish_amaters_cli_needs_command" -f -a "range" -d 'Print the entries from one key up to another, which is not among them'
complete -c amaters-cli -n "__fish_amaters_cli_needs_command" -f -a "scan" -d 'Print the entries of a collection, or those whose keys begin with a prefix'
complete -c amaters-cli -n "__fish_amaters_cli_needs_command" -f -a "filter" -d 'Print the entries whose plain values match, as in: filter \'>= 18 and not = 99\''
complete -c amaters-cli -n "__fish_amaters_cli_needs_command" -f -a "update" -d 'Change the entries whose plain values match, as in: update \'>= 18\' \'add 1\''
complete -c amaters-cli -n "__fish_amaters_cli_needs_command" -f -a "batch" -d 'Do the queries of a file of JSON Lines in one step: all of them, or none'
complete -c amaters-cli -n "__fish_amaters_cli_needs_command" -f -a "import" -d 'Store the entries of a file of JSON Lines'
complete -c amaters-cli -n "__fish_amaters_cli_needs_command" -f -a "export" -d 'Write the entries of a collection as JSON Lines'
complete -c amaters-cli -n "__fish_amaters_cli_needs_command" -f -a "backup" -d 'Have the server write a backup, and watch it; Ctrl-C cancels it'
complete -c amaters-cli -n "__fish_amaters_cli_needs_command" -f -a "restore" -d 'Have the server read a backup, all of it or nothing, and watch it; Ctrl-C cancels it'
complete -c amaters-cli -n "__fish_amaters_cli_needs_command" -f -a "verify" -d 'Have the server read every byte of a backup, or of its own files; exit status 1 if something is damaged'
complete -c amaters-cli -n "__fish_amaters_cli_needs_command" -f -a "compact" -d 'Have the server flush its memory and merge its tables'
complete -c amaters-cli -n "__fish_amaters_cli_needs_command" -f -a "jobs" -d 'Print, watch and cancel such long work'
complete -c amaters-cli -n "__fish_amaters_cli_needs_command" -f -a "connections" -d 'Print who is connected to the server, and close connections'
complete -c amaters-cli -n "__fish_amaters_cli_needs_command" -f -a "reload" -d 'Have the server read its configuration again'
complete -c amaters-cli -n "__fish_amaters_cli_needs_command" -f -a "drain" -d 'Have the server finish its requests and end'
complete -c amaters-cli -n "__fish_amaters_cli_needs_command" -f -a "admin" -d 'Send a command to the server as clients of AmateRS do: backup, restore, stats, verify, compact, logs, metrics, cluster-info, nodes'
complete -c amaters-cli -n "__fish_amaters_cli_needs_command" -f -a "logs" -d 'Print what the server did lately: requests and warnings'
complete -c amaters-cli -n "__fish_amaters_cli_needs_command" -f -a "stats" -d 'Print what the server stores'
complete -c amaters-cli -n "__fish_amaters_cli_needs_command" -f -a "hot-keys" -d 'Print the keys that are asked for most, by samples of the last minute'
complete -c amaters-cli -n "__fish_amaters_cli_needs_command" -f -a "big-values" -d 'Print the largest values that were read or written in the last minute'
complete -c amaters-cli -n "__fish_amaters_cli_needs_command" -f -a "health" -d 'Ask whether the server serves; exit status 1 if it does not'
complete -c amaters-cli -n "__fish_amaters_cli_needs_command" -f -a "info" -d 'Print the protocol version, the capabilities and the uptime of the server'
complete -c amaters-cli -n "__fish_amaters_cli_needs_command" -f -a "ping" -d 'Measure how long the server takes to answer'
complete -c amaters-cli -n "__fish_amaters_cli_needs_command" -f -a "top" -d 'Watch rates, latencies and shards of a server, by its metrics'
complete -c amaters-cli -n "__fish_amaters_cli_needs_command" -f -a "bench" -d 'Measure requests a second and latencies'
complete -c amaters-cli -n "__fish_amaters_cli_needs_command" -f -a "shell" -d 'Type commands, with history and completion'
complete -c amaters-cli -n "__fish_amaters_cli_needs_command" -f -a "completions" -d 'Print the completions for a shell'
complete -c amaters-cli -n "__fish_amaters_cli_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand set" -l value-file -d 'The value is what is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand set" -l if-sha256 -d 'Only if the key has a value with this SHA-256, as get --sha256 prints it; exit status 8 if not' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand set" -l profile -d 'Take the settings of this profile of the configuration file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand set" -l config -d 'Read this configuration file; by default ~/.config/amaters/cli.toml, if it is there' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand set" -s a -l address -d 'Where the server is: HOST:PORT, http://HOST:PORT, or https://HOST:PORT for TLS; by default 127.0.0.1:7878' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand set" -s c -l collection -d 'The collection, by default "default"' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand set" -l timeout -d 'Wait so long for an answer, by default 30 s; scans, exports and imports have no such bound' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand set" -l metrics -d 'Where the server\'s metrics are, by default port 9090 of its host' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand set" -l token -d 'Send this token (JWT). Others may see it in the list of processes: better use --token-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand set" -l token-file -d 'Send the token that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand set" -l api-key -d 'Send this API key. Others may see it in the list of processes: better use --api-key-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand set" -l api-key-file -d 'Send the API key that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand set" -l api-key-header -d 'Send the API key in this header, by default x-api-key' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand set" -l tls-ca -d 'Trust the certificate authorities of this file (PEM) instead of those of the system' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand set" -l tls-cert -d 'Show this client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand set" -l tls-key -d 'The private key of the client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand set" -l tls-server-name -d 'Expect the server\'s certificate to be for this name, instead of the host of the address' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand set" -s o -l output -d 'How answers are printed' -r -f -a "table\t'Lines and columns for people'
json\t'One JSON document'
yaml\t'One YAML document'"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand set" -l color -d 'Whether to use colours; NO_COLOR in the environment means never' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand set" -l hex -d 'The value is hexadecimal'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand set" -l base64 -d 'The value is base64'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand set" -l key-hex -d 'Keys are hexadecimal'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand set" -l key-base64 -d 'Keys are base64'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand set" -l if-absent -d 'Only if the key has no value; exit status 8 if it has'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand set" -l if-present -d 'Only if the key has a value; exit status 8 if it has none'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand set" -l tls -d 'Use TLS, also where the address does not begin with https://'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand set" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand get" -l as -d 'How the value is printed. By default its bytes go out as they are; on a terminal, only if they are text' -r -f -a "raw\t'The bytes as they are'
utf8\t'Text; bytes that are none are refused'
hex\t''
base64\t''
number\t'An unsigned number, highest byte first, of at most 16 bytes; in JSON, its bytes in hex'"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand get" -l to -d 'Write the bytes of the value to this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand get" -l profile -d 'Take the settings of this profile of the configuration file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand get" -l config -d 'Read this configuration file; by default ~/.config/amaters/cli.toml, if it is there' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand get" -s a -l address -d 'Where the server is: HOST:PORT, http://HOST:PORT, or https://HOST:PORT for TLS; by default 127.0.0.1:7878' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand get" -s c -l collection -d 'The collection, by default "default"' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand get" -l timeout -d 'Wait so long for an answer, by default 30 s; scans, exports and imports have no such bound' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand get" -l metrics -d 'Where the server\'s metrics are, by default port 9090 of its host' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand get" -l token -d 'Send this token (JWT). Others may see it in the list of processes: better use --token-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand get" -l token-file -d 'Send the token that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand get" -l api-key -d 'Send this API key. Others may see it in the list of processes: better use --api-key-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand get" -l api-key-file -d 'Send the API key that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand get" -l api-key-header -d 'Send the API key in this header, by default x-api-key' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand get" -l tls-ca -d 'Trust the certificate authorities of this file (PEM) instead of those of the system' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand get" -l tls-cert -d 'Show this client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand get" -l tls-key -d 'The private key of the client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand get" -l tls-server-name -d 'Expect the server\'s certificate to be for this name, instead of the host of the address' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand get" -s o -l output -d 'How answers are printed' -r -f -a "table\t'Lines and columns for people'
json\t'One JSON document'
yaml\t'One YAML document'"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand get" -l color -d 'Whether to use colours; NO_COLOR in the environment means never' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand get" -l sha256 -d 'Print the SHA-256 of the value instead, which set --if-sha256 takes'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand get" -l key-hex -d 'Keys are hexadecimal'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand get" -l key-base64 -d 'Keys are base64'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand get" -l tls -d 'Use TLS, also where the address does not begin with https://'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand get" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand delete" -l profile -d 'Take the settings of this profile of the configuration file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand delete" -l config -d 'Read this configuration file; by default ~/.config/amaters/cli.toml, if it is there' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand delete" -s a -l address -d 'Where the server is: HOST:PORT, http://HOST:PORT, or https://HOST:PORT for TLS; by default 127.0.0.1:7878' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand delete" -s c -l collection -d 'The collection, by default "default"' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand delete" -l timeout -d 'Wait so long for an answer, by default 30 s; scans, exports and imports have no such bound' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand delete" -l metrics -d 'Where the server\'s metrics are, by default port 9090 of its host' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand delete" -l token -d 'Send this token (JWT). Others may see it in the list of processes: better use --token-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand delete" -l token-file -d 'Send the token that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand delete" -l api-key -d 'Send this API key. Others may see it in the list of processes: better use --api-key-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand delete" -l api-key-file -d 'Send the API key that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand delete" -l api-key-header -d 'Send the API key in this header, by default x-api-key' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand delete" -l tls-ca -d 'Trust the certificate authorities of this file (PEM) instead of those of the system' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand delete" -l tls-cert -d 'Show this client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand delete" -l tls-key -d 'The private key of the client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand delete" -l tls-server-name -d 'Expect the server\'s certificate to be for this name, instead of the host of the address' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand delete" -s o -l output -d 'How answers are printed' -r -f -a "table\t'Lines and columns for people'
json\t'One JSON document'
yaml\t'One YAML document'"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand delete" -l color -d 'Whether to use colours; NO_COLOR in the environment means never' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand delete" -l key-hex -d 'Keys are hexadecimal'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand delete" -l key-base64 -d 'Keys are base64'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand delete" -l tls -d 'Use TLS, also where the address does not begin with https://'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand delete" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand range" -s n -l limit -d 'At most so many entries' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand range" -l as -d 'How values are printed, whole. By default a table has short text, and the length of everything else; filter has numbers' -r -f -a "raw\t'The bytes as they are'
utf8\t'Text; bytes that are none are refused'
hex\t''
base64\t''
number\t'An unsigned number, highest byte first, of at most 16 bytes; in JSON, its bytes in hex'"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand range" -l profile -d 'Take the settings of this profile of the configuration file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand range" -l config -d 'Read this configuration file; by default ~/.config/amaters/cli.toml, if it is there' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand range" -s a -l address -d 'Where the server is: HOST:PORT, http://HOST:PORT, or https://HOST:PORT for TLS; by default 127.0.0.1:7878' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand range" -s c -l collection -d 'The collection, by default "default"' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand range" -l timeout -d 'Wait so long for an answer, by default 30 s; scans, exports and imports have no such bound' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand range" -l metrics -d 'Where the server\'s metrics are, by default port 9090 of its host' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand range" -l token -d 'Send this token (JWT). Others may see it in the list of processes: better use --token-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand range" -l token-file -d 'Send the token that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand range" -l api-key -d 'Send this API key. Others may see it in the list of processes: better use --api-key-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand range" -l api-key-file -d 'Send the API key that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand range" -l api-key-header -d 'Send the API key in this header, by default x-api-key' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand range" -l tls-ca -d 'Trust the certificate authorities of this file (PEM) instead of those of the system' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand range" -l tls-cert -d 'Show this client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand range" -l tls-key -d 'The private key of the client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand range" -l tls-server-name -d 'Expect the server\'s certificate to be for this name, instead of the host of the address' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand range" -s o -l output -d 'How answers are printed' -r -f -a "table\t'Lines and columns for people'
json\t'One JSON document'
yaml\t'One YAML document'"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand range" -l color -d 'Whether to use colours; NO_COLOR in the environment means never' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand range" -l keys-only -d 'Print the keys alone'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand range" -l key-hex -d 'Keys are hexadecimal'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand range" -l key-base64 -d 'Keys are base64'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand range" -l tls -d 'Use TLS, also where the address does not begin with https://'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand range" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand scan" -l prefix -d 'Only keys that begin so' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand scan" -s n -l limit -d 'At most so many entries' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand scan" -l as -d 'How values are printed, whole. By default a table has short text, and the length of everything else; filter has numbers' -r -f -a "raw\t'The bytes as they are'
utf8\t'Text; bytes that are none are refused'
hex\t''
base64\t''
number\t'An unsigned number, highest byte first, of at most 16 bytes; in JSON, its bytes in hex'"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand scan" -l profile -d 'Take the settings of this profile of the configuration file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand scan" -l config -d 'Read this configuration file; by default ~/.config/amaters/cli.toml, if it is there' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand scan" -s a -l address -d 'Where the server is: HOST:PORT, http://HOST:PORT, or https://HOST:PORT for TLS; by default 127.0.0.1:7878' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand scan" -s c -l collection -d 'The collection, by default "default"' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand scan" -l timeout -d 'Wait so long for an answer, by default 30 s; scans, exports and imports have no such bound' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand scan" -l metrics -d 'Where the server\'s metrics are, by default port 9090 of its host' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand scan" -l token -d 'Send this token (JWT). Others may see it in the list of processes: better use --token-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand scan" -l token-file -d 'Send the token that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand scan" -l api-key -d 'Send this API key. Others may see it in the list of processes: better use --api-key-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand scan" -l api-key-file -d 'Send the API key that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand scan" -l api-key-header -d 'Send the API key in this header, by default x-api-key' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand scan" -l tls-ca -d 'Trust the certificate authorities of this file (PEM) instead of those of the system' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand scan" -l tls-cert -d 'Show this client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand scan" -l tls-key -d 'The private key of the client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand scan" -l tls-server-name -d 'Expect the server\'s certificate to be for this name, instead of the host of the address' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand scan" -s o -l output -d 'How answers are printed' -r -f -a "table\t'Lines and columns for people'
json\t'One JSON document'
yaml\t'One YAML document'"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand scan" -l color -d 'Whether to use colours; NO_COLOR in the environment means never' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand scan" -l keys-only -d 'Print the keys alone'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand scan" -l key-hex -d 'Keys are hexadecimal'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand scan" -l key-base64 -d 'Keys are base64'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand scan" -l tls -d 'Use TLS, also where the address does not begin with https://'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand scan" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand filter" -l offset -d 'Leave out so many of the first that match' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand filter" -s n -l limit -d 'At most so many entries' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand filter" -l as -d 'How values are printed, whole. By default a table has short text, and the length of everything else; filter has numbers' -r -f -a "raw\t'The bytes as they are'
utf8\t'Text; bytes that are none are refused'
hex\t''
base64\t''
number\t'An unsigned number, highest byte first, of at most 16 bytes; in JSON, its bytes in hex'"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand filter" -l profile -d 'Take the settings of this profile of the configuration file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand filter" -l config -d 'Read this configuration file; by default ~/.config/amaters/cli.toml, if it is there' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand filter" -s a -l address -d 'Where the server is: HOST:PORT, http://HOST:PORT, or https://HOST:PORT for TLS; by default 127.0.0.1:7878' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand filter" -s c -l collection -d 'The collection, by default "default"' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand filter" -l timeout -d 'Wait so long for an answer, by default 30 s; scans, exports and imports have no such bound' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand filter" -l metrics -d 'Where the server\'s metrics are, by default port 9090 of its host' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand filter" -l token -d 'Send this token (JWT). Others may see it in the list of processes: better use --token-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand filter" -l token-file -d 'Send the token that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand filter" -l api-key -d 'Send this API key. Others may see it in the list of processes: better use --api-key-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand filter" -l api-key-file -d 'Send the API key that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand filter" -l api-key-header -d 'Send the API key in this header, by default x-api-key' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand filter" -l tls-ca -d 'Trust the certificate authorities of this file (PEM) instead of those of the system' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand filter" -l tls-cert -d 'Show this client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand filter" -l tls-key -d 'The private key of the client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand filter" -l tls-server-name -d 'Expect the server\'s certificate to be for this name, instead of the host of the address' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand filter" -s o -l output -d 'How answers are printed' -r -f -a "table\t'Lines and columns for people'
json\t'One JSON document'
yaml\t'One YAML document'"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand filter" -l color -d 'Whether to use colours; NO_COLOR in the environment means never' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand filter" -l keys-only -d 'Print the keys alone'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand filter" -l tls -d 'Use TLS, also where the address does not begin with https://'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand filter" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand update" -l width -d 'Numbers in decimal take so many bytes' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand update" -l profile -d 'Take the settings of this profile of the configuration file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand update" -l config -d 'Read this configuration file; by default ~/.config/amaters/cli.toml, if it is there' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand update" -s a -l address -d 'Where the server is: HOST:PORT, http://HOST:PORT, or https://HOST:PORT for TLS; by default 127.0.0.1:7878' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand update" -s c -l collection -d 'The collection, by default "default"' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand update" -l timeout -d 'Wait so long for an answer, by default 30 s; scans, exports and imports have no such bound' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand update" -l metrics -d 'Where the server\'s metrics are, by default port 9090 of its host' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand update" -l token -d 'Send this token (JWT). Others may see it in the list of processes: better use --token-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand update" -l token-file -d 'Send the token that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand update" -l api-key -d 'Send this API key. Others may see it in the list of processes: better use --api-key-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand update" -l api-key-file -d 'Send the API key that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand update" -l api-key-header -d 'Send the API key in this header, by default x-api-key' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand update" -l tls-ca -d 'Trust the certificate authorities of this file (PEM) instead of those of the system' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand update" -l tls-cert -d 'Show this client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand update" -l tls-key -d 'The private key of the client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand update" -l tls-server-name -d 'Expect the server\'s certificate to be for this name, instead of the host of the address' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand update" -s o -l output -d 'How answers are printed' -r -f -a "table\t'Lines and columns for people'
json\t'One JSON document'
yaml\t'One YAML document'"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand update" -l color -d 'Whether to use colours; NO_COLOR in the environment means never' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand update" -l tls -d 'Use TLS, also where the address does not begin with https://'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand update" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand batch" -l profile -d 'Take the settings of this profile of the configuration file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand batch" -l config -d 'Read this configuration file; by default ~/.config/amaters/cli.toml, if it is there' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand batch" -s a -l address -d 'Where the server is: HOST:PORT, http://HOST:PORT, or https://HOST:PORT for TLS; by default 127.0.0.1:7878' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand batch" -s c -l collection -d 'The collection, by default "default"' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand batch" -l timeout -d 'Wait so long for an answer, by default 30 s; scans, exports and imports have no such bound' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand batch" -l metrics -d 'Where the server\'s metrics are, by default port 9090 of its host' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand batch" -l token -d 'Send this token (JWT). Others may see it in the list of processes: better use --token-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand batch" -l token-file -d 'Send the token that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand batch" -l api-key -d 'Send this API key. Others may see it in the list of processes: better use --api-key-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand batch" -l api-key-file -d 'Send the API key that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand batch" -l api-key-header -d 'Send the API key in this header, by default x-api-key' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand batch" -l tls-ca -d 'Trust the certificate authorities of this file (PEM) instead of those of the system' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand batch" -l tls-cert -d 'Show this client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand batch" -l tls-key -d 'The private key of the client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand batch" -l tls-server-name -d 'Expect the server\'s certificate to be for this name, instead of the host of the address' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand batch" -s o -l output -d 'How answers are printed' -r -f -a "table\t'Lines and columns for people'
json\t'One JSON document'
yaml\t'One YAML document'"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand batch" -l color -d 'Whether to use colours; NO_COLOR in the environment means never' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand batch" -l tls -d 'Use TLS, also where the address does not begin with https://'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand batch" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand import" -l from-line -d 'Begin with this line' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand import" -l checkpoint -d 'Note in this file which lines are done; if it is there, go on behind them. It is removed when all are' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand import" -l batch -d 'Lines of a batch, which are stored together or not at all' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand import" -l in-flight -d 'Batches that are under way at once' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand import" -l profile -d 'Take the settings of this profile of the configuration file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand import" -l config -d 'Read this configuration file; by default ~/.config/amaters/cli.toml, if it is there' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand import" -s a -l address -d 'Where the server is: HOST:PORT, http://HOST:PORT, or https://HOST:PORT for TLS; by default 127.0.0.1:7878' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand import" -s c -l collection -d 'The collection, by default "default"' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand import" -l timeout -d 'Wait so long for an answer, by default 30 s; scans, exports and imports have no such bound' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand import" -l metrics -d 'Where the server\'s metrics are, by default port 9090 of its host' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand import" -l token -d 'Send this token (JWT). Others may see it in the list of processes: better use --token-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand import" -l token-file -d 'Send the token that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand import" -l api-key -d 'Send this API key. Others may see it in the list of processes: better use --api-key-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand import" -l api-key-file -d 'Send the API key that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand import" -l api-key-header -d 'Send the API key in this header, by default x-api-key' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand import" -l tls-ca -d 'Trust the certificate authorities of this file (PEM) instead of those of the system' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand import" -l tls-cert -d 'Show this client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand import" -l tls-key -d 'The private key of the client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand import" -l tls-server-name -d 'Expect the server\'s certificate to be for this name, instead of the host of the address' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand import" -s o -l output -d 'How answers are printed' -r -f -a "table\t'Lines and columns for people'
json\t'One JSON document'
yaml\t'One YAML document'"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand import" -l color -d 'Whether to use colours; NO_COLOR in the environment means never' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand import" -l tls -d 'Use TLS, also where the address does not begin with https://'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand import" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand export" -l prefix -d 'Only keys that begin so' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand export" -l as -d 'Write values so, also those that are text' -r -f -a "hex\t''
base64\t''"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand export" -l profile -d 'Take the settings of this profile of the configuration file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand export" -l config -d 'Read this configuration file; by default ~/.config/amaters/cli.toml, if it is there' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand export" -s a -l address -d 'Where the server is: HOST:PORT, http://HOST:PORT, or https://HOST:PORT for TLS; by default 127.0.0.1:7878' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand export" -s c -l collection -d 'The collection, by default "default"' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand export" -l timeout -d 'Wait so long for an answer, by default 30 s; scans, exports and imports have no such bound' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand export" -l metrics -d 'Where the server\'s metrics are, by default port 9090 of its host' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand export" -l token -d 'Send this token (JWT). Others may see it in the list of processes: better use --token-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand export" -l token-file -d 'Send the token that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand export" -l api-key -d 'Send this API key. Others may see it in the list of processes: better use --api-key-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand export" -l api-key-file -d 'Send the API key that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand export" -l api-key-header -d 'Send the API key in this header, by default x-api-key' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand export" -l tls-ca -d 'Trust the certificate authorities of this file (PEM) instead of those of the system' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand export" -l tls-cert -d 'Show this client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand export" -l tls-key -d 'The private key of the client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand export" -l tls-server-name -d 'Expect the server\'s certificate to be for this name, instead of the host of the address' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand export" -s o -l output -d 'How answers are printed' -r -f -a "table\t'Lines and columns for people'
json\t'One JSON document'
yaml\t'One YAML document'"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand export" -l color -d 'Whether to use colours; NO_COLOR in the environment means never' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand export" -l without-metadata -d 'Leave out the metadata of values'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand export" -l in-parts -d 'Where the server ends a scan that takes too long, go on with another. The entries are then not of one instant'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand export" -l key-hex -d 'Keys are hexadecimal'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand export" -l key-base64 -d 'Keys are base64'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand export" -l tls -d 'Use TLS, also where the address does not begin with https://'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand export" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand backup" -l parent -d 'The backup before, instead of the newest beside DIR' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand backup" -l profile -d 'Take the settings of this profile of the configuration file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand backup" -l config -d 'Read this configuration file; by default ~/.config/amaters/cli.toml, if it is there' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand backup" -s a -l address -d 'Where the server is: HOST:PORT, http://HOST:PORT, or https://HOST:PORT for TLS; by default 127.0.0.1:7878' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand backup" -s c -l collection -d 'The collection, by default "default"' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand backup" -l timeout -d 'Wait so long for an answer, by default 30 s; scans, exports and imports have no such bound' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand backup" -l metrics -d 'Where the server\'s metrics are, by default port 9090 of its host' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand backup" -l token -d 'Send this token (JWT). Others may see it in the list of processes: better use --token-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand backup" -l token-file -d 'Send the token that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand backup" -l api-key -d 'Send this API key. Others may see it in the list of processes: better use --api-key-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand backup" -l api-key-file -d 'Send the API key that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand backup" -l api-key-header -d 'Send the API key in this header, by default x-api-key' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand backup" -l tls-ca -d 'Trust the certificate authorities of this file (PEM) instead of those of the system' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand backup" -l tls-cert -d 'Show this client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand backup" -l tls-key -d 'The private key of the client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand backup" -l tls-server-name -d 'Expect the server\'s certificate to be for this name, instead of the host of the address' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand backup" -s o -l output -d 'How answers are printed' -r -f -a "table\t'Lines and columns for people'
json\t'One JSON document'
yaml\t'One YAML document'"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand backup" -l color -d 'Whether to use colours; NO_COLOR in the environment means never' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand backup" -l incremental -d 'Only what changed since the backup before'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand backup" -l detach -d 'Return at once, and let the server go on; `jobs watch` shows how far it is'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand backup" -l tls -d 'Use TLS, also where the address does not begin with https://'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand backup" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand restore" -l into -d 'Of a backup of the public AmateRS server, which knows no collections: where its keys go, by default "default"' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand restore" -l profile -d 'Take the settings of this profile of the configuration file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand restore" -l config -d 'Read this configuration file; by default ~/.config/amaters/cli.toml, if it is there' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand restore" -s a -l address -d 'Where the server is: HOST:PORT, http://HOST:PORT, or https://HOST:PORT for TLS; by default 127.0.0.1:7878' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand restore" -s c -l collection -d 'The collection, by default "default"' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand restore" -l timeout -d 'Wait so long for an answer, by default 30 s; scans, exports and imports have no such bound' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand restore" -l metrics -d 'Where the server\'s metrics are, by default port 9090 of its host' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand restore" -l token -d 'Send this token (JWT). Others may see it in the list of processes: better use --token-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand restore" -l token-file -d 'Send the token that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand restore" -l api-key -d 'Send this API key. Others may see it in the list of processes: better use --api-key-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand restore" -l api-key-file -d 'Send the API key that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand restore" -l api-key-header -d 'Send the API key in this header, by default x-api-key' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand restore" -l tls-ca -d 'Trust the certificate authorities of this file (PEM) instead of those of the system' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand restore" -l tls-cert -d 'Show this client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand restore" -l tls-key -d 'The private key of the client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand restore" -l tls-server-name -d 'Expect the server\'s certificate to be for this name, instead of the host of the address' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand restore" -s o -l output -d 'How answers are printed' -r -f -a "table\t'Lines and columns for people'
json\t'One JSON document'
yaml\t'One YAML document'"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand restore" -l color -d 'Whether to use colours; NO_COLOR in the environment means never' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand restore" -l replace -d 'Remove everything else; otherwise keys that are not in the backup stay'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand restore" -l dry-run -d 'Read and check everything, and change nothing'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand restore" -l detach -d 'Return at once, and let the server go on; `jobs watch` shows how far it is'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand restore" -l tls -d 'Use TLS, also where the address does not begin with https://'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand restore" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand verify" -l profile -d 'Take the settings of this profile of the configuration file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand verify" -l config -d 'Read this configuration file; by default ~/.config/amaters/cli.toml, if it is there' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand verify" -s a -l address -d 'Where the server is: HOST:PORT, http://HOST:PORT, or https://HOST:PORT for TLS; by default 127.0.0.1:7878' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand verify" -s c -l collection -d 'The collection, by default "default"' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand verify" -l timeout -d 'Wait so long for an answer, by default 30 s; scans, exports and imports have no such bound' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand verify" -l metrics -d 'Where the server\'s metrics are, by default port 9090 of its host' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand verify" -l token -d 'Send this token (JWT). Others may see it in the list of processes: better use --token-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand verify" -l token-file -d 'Send the token that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand verify" -l api-key -d 'Send this API key. Others may see it in the list of processes: better use --api-key-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand verify" -l api-key-file -d 'Send the API key that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand verify" -l api-key-header -d 'Send the API key in this header, by default x-api-key' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand verify" -l tls-ca -d 'Trust the certificate authorities of this file (PEM) instead of those of the system' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand verify" -l tls-cert -d 'Show this client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand verify" -l tls-key -d 'The private key of the client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand verify" -l tls-server-name -d 'Expect the server\'s certificate to be for this name, instead of the host of the address' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand verify" -s o -l output -d 'How answers are printed' -r -f -a "table\t'Lines and columns for people'
json\t'One JSON document'
yaml\t'One YAML document'"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand verify" -l color -d 'Whether to use colours; NO_COLOR in the environment means never' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand verify" -l detach -d 'Return at once, and let the server go on; `jobs watch` shows how far it is'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand verify" -l tls -d 'Use TLS, also where the address does not begin with https://'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand compact" -l profile -d 'Take the settings of this profile of the configuration file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand compact" -l config -d 'Read this configuration file; by default ~/.config/amaters/cli.toml, if it is there' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand compact" -s a -l address -d 'Where the server is: HOST:PORT, http://HOST:PORT, or https://HOST:PORT for TLS; by default 127.0.0.1:7878' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand compact" -s c -l collection -d 'The collection, by default "default"' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand compact" -l timeout -d 'Wait so long for an answer, by default 30 s; scans, exports and imports have no such bound' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand compact" -l metrics -d 'Where the server\'s metrics are, by default port 9090 of its host' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand compact" -l token -d 'Send this token (JWT). Others may see it in the list of processes: better use --token-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand compact" -l token-file -d 'Send the token that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand compact" -l api-key -d 'Send this API key. Others may see it in the list of processes: better use --api-key-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand compact" -l api-key-file -d 'Send the API key that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand compact" -l api-key-header -d 'Send the API key in this header, by default x-api-key' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand compact" -l tls-ca -d 'Trust the certificate authorities of this file (PEM) instead of those of the system' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand compact" -l tls-cert -d 'Show this client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand compact" -l tls-key -d 'The private key of the client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand compact" -l tls-server-name -d 'Expect the server\'s certificate to be for this name, instead of the host of the address' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand compact" -s o -l output -d 'How answers are printed' -r -f -a "table\t'Lines and columns for people'
json\t'One JSON document'
yaml\t'One YAML document'"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand compact" -l color -d 'Whether to use colours; NO_COLOR in the environment means never' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand compact" -l detach -d 'Return at once, and let the server go on; `jobs watch` shows how far it is'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand compact" -l tls -d 'Use TLS, also where the address does not begin with https://'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand compact" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and not __fish_seen_subcommand_from list watch cancel help" -l profile -d 'Take the settings of this profile of the configuration file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and not __fish_seen_subcommand_from list watch cancel help" -l config -d 'Read this configuration file; by default ~/.config/amaters/cli.toml, if it is there' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and not __fish_seen_subcommand_from list watch cancel help" -s a -l address -d 'Where the server is: HOST:PORT, http://HOST:PORT, or https://HOST:PORT for TLS; by default 127.0.0.1:7878' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and not __fish_seen_subcommand_from list watch cancel help" -s c -l collection -d 'The collection, by default "default"' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and not __fish_seen_subcommand_from list watch cancel help" -l timeout -d 'Wait so long for an answer, by default 30 s; scans, exports and imports have no such bound' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and not __fish_seen_subcommand_from list watch cancel help" -l metrics -d 'Where the server\'s metrics are, by default port 9090 of its host' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and not __fish_seen_subcommand_from list watch cancel help" -l token -d 'Send this token (JWT). Others may see it in the list of processes: better use --token-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and not __fish_seen_subcommand_from list watch cancel help" -l token-file -d 'Send the token that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and not __fish_seen_subcommand_from list watch cancel help" -l api-key -d 'Send this API key. Others may see it in the list of processes: better use --api-key-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and not __fish_seen_subcommand_from list watch cancel help" -l api-key-file -d 'Send the API key that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and not __fish_seen_subcommand_from list watch cancel help" -l api-key-header -d 'Send the API key in this header, by default x-api-key' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and not __fish_seen_subcommand_from list watch cancel help" -l tls-ca -d 'Trust the certificate authorities of this file (PEM) instead of those of the system' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and not __fish_seen_subcommand_from list watch cancel help" -l tls-cert -d 'Show this client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and not __fish_seen_subcommand_from list watch cancel help" -l tls-key -d 'The private key of the client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and not __fish_seen_subcommand_from list watch cancel help" -l tls-server-name -d 'Expect the server\'s certificate to be for this name, instead of the host of the address' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and not __fish_seen_subcommand_from list watch cancel help" -s o -l output -d 'How answers are printed' -r -f -a "table\t'Lines and columns for people'
json\t'One JSON document'
yaml\t'One YAML document'"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and not __fish_seen_subcommand_from list watch cancel help" -l color -d 'Whether to use colours; NO_COLOR in the environment means never' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and not __fish_seen_subcommand_from list watch cancel help" -l tls -d 'Use TLS, also where the address does not begin with https://'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and not __fish_seen_subcommand_from list watch cancel help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and not __fish_seen_subcommand_from list watch cancel help" -f -a "list" -d 'Print the jobs that wait, run, or have ended lately, as jobs alone does'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and not __fish_seen_subcommand_from list watch cancel help" -f -a "watch" -d 'Watch a job until it ends; Ctrl-C leaves it as it is'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and not __fish_seen_subcommand_from list watch cancel help" -f -a "cancel" -d 'End a job before its time'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and not __fish_seen_subcommand_from list watch cancel help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from list" -l profile -d 'Take the settings of this profile of the configuration file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from list" -l config -d 'Read this configuration file; by default ~/.config/amaters/cli.toml, if it is there' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from list" -s a -l address -d 'Where the server is: HOST:PORT, http://HOST:PORT, or https://HOST:PORT for TLS; by default 127.0.0.1:7878' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from list" -s c -l collection -d 'The collection, by default "default"' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from list" -l timeout -d 'Wait so long for an answer, by default 30 s; scans, exports and imports have no such bound' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from list" -l metrics -d 'Where the server\'s metrics are, by default port 9090 of its host' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from list" -l token -d 'Send this token (JWT). Others may see it in the list of processes: better use --token-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from list" -l token-file -d 'Send the token that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from list" -l api-key -d 'Send this API key. Others may see it in the list of processes: better use --api-key-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from list" -l api-key-file -d 'Send the API key that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from list" -l api-key-header -d 'Send the API key in this header, by default x-api-key' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from list" -l tls-ca -d 'Trust the certificate authorities of this file (PEM) instead of those of the system' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from list" -l tls-cert -d 'Show this client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from list" -l tls-key -d 'The private key of the client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from list" -l tls-server-name -d 'Expect the server\'s certificate to be for this name, instead of the host of the address' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from list" -s o -l output -d 'How answers are printed' -r -f -a "table\t'Lines and columns for people'
json\t'One JSON document'
yaml\t'One YAML document'"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from list" -l color -d 'Whether to use colours; NO_COLOR in the environment means never' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from list" -l tls -d 'Use TLS, also where the address does not begin with https://'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from watch" -l profile -d 'Take the settings of this profile of the configuration file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from watch" -l config -d 'Read this configuration file; by default ~/.config/amaters/cli.toml, if it is there' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from watch" -s a -l address -d 'Where the server is: HOST:PORT, http://HOST:PORT, or https://HOST:PORT for TLS; by default 127.0.0.1:7878' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from watch" -s c -l collection -d 'The collection, by default "default"' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from watch" -l timeout -d 'Wait so long for an answer, by default 30 s; scans, exports and imports have no such bound' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from watch" -l metrics -d 'Where the server\'s metrics are, by default port 9090 of its host' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from watch" -l token -d 'Send this token (JWT). Others may see it in the list of processes: better use --token-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from watch" -l token-file -d 'Send the token that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from watch" -l api-key -d 'Send this API key. Others may see it in the list of processes: better use --api-key-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from watch" -l api-key-file -d 'Send the API key that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from watch" -l api-key-header -d 'Send the API key in this header, by default x-api-key' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from watch" -l tls-ca -d 'Trust the certificate authorities of this file (PEM) instead of those of the system' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from watch" -l tls-cert -d 'Show this client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from watch" -l tls-key -d 'The private key of the client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from watch" -l tls-server-name -d 'Expect the server\'s certificate to be for this name, instead of the host of the address' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from watch" -s o -l output -d 'How answers are printed' -r -f -a "table\t'Lines and columns for people'
json\t'One JSON document'
yaml\t'One YAML document'"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from watch" -l color -d 'Whether to use colours; NO_COLOR in the environment means never' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from watch" -l tls -d 'Use TLS, also where the address does not begin with https://'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from watch" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -l profile -d 'Take the settings of this profile of the configuration file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -l config -d 'Read this configuration file; by default ~/.config/amaters/cli.toml, if it is there' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -s a -l address -d 'Where the server is: HOST:PORT, http://HOST:PORT, or https://HOST:PORT for TLS; by default 127.0.0.1:7878' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -s c -l collection -d 'The collection, by default "default"' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -l timeout -d 'Wait so long for an answer, by default 30 s; scans, exports and imports have no such bound' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -l metrics -d 'Where the server\'s metrics are, by default port 9090 of its host' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -l token -d 'Send this token (JWT). Others may see it in the list of processes: better use --token-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -l token-file -d 'Send the token that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -l api-key -d 'Send this API key. Others may see it in the list of processes: better use --api-key-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -l api-key-file -d 'Send the API key that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -l api-key-header -d 'Send the API key in this header, by default x-api-key' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -l tls-ca -d 'Trust the certificate authorities of this file (PEM) instead of those of the system' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -l tls-cert -d 'Show this client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -l tls-key -d 'The private key of the client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -l tls-server-name -d 'Expect the server\'s certificate to be for this name, instead of the host of the address' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -s o -l output -d 'How answers are printed' -r -f -a "table\t'Lines and columns for people'
json\t'One JSON document'
yaml\t'One YAML document'"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -l color -d 'Whether to use colours; NO_COLOR in the environment means never' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -l tls -d 'Use TLS, also where the address does not begin with https://'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from help" -f -a "list" -d 'Print the jobs that wait, run, or have ended lately, as jobs alone does'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from help" -f -a "watch" -d 'Watch a job until it ends; Ctrl-C leaves it as it is'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from help" -f -a "cancel" -d 'End a job before its time'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand jobs; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and not __fish_seen_subcommand_from list close help" -l profile -d 'Take the settings of this profile of the configuration file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and not __fish_seen_subcommand_from list close help" -l config -d 'Read this configuration file; by default ~/.config/amaters/cli.toml, if it is there' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and not __fish_seen_subcommand_from list close help" -s a -l address -d 'Where the server is: HOST:PORT, http://HOST:PORT, or https://HOST:PORT for TLS; by default 127.0.0.1:7878' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and not __fish_seen_subcommand_from list close help" -s c -l collection -d 'The collection, by default "default"' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and not __fish_seen_subcommand_from list close help" -l timeout -d 'Wait so long for an answer, by default 30 s; scans, exports and imports have no such bound' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and not __fish_seen_subcommand_from list close help" -l metrics -d 'Where the server\'s metrics are, by default port 9090 of its host' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and not __fish_seen_subcommand_from list close help" -l token -d 'Send this token (JWT). Others may see it in the list of processes: better use --token-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and not __fish_seen_subcommand_from list close help" -l token-file -d 'Send the token that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and not __fish_seen_subcommand_from list close help" -l api-key -d 'Send this API key. Others may see it in the list of processes: better use --api-key-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and not __fish_seen_subcommand_from list close help" -l api-key-file -d 'Send the API key that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and not __fish_seen_subcommand_from list close help" -l api-key-header -d 'Send the API key in this header, by default x-api-key' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and not __fish_seen_subcommand_from list close help" -l tls-ca -d 'Trust the certificate authorities of this file (PEM) instead of those of the system' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and not __fish_seen_subcommand_from list close help" -l tls-cert -d 'Show this client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and not __fish_seen_subcommand_from list close help" -l tls-key -d 'The private key of the client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and not __fish_seen_subcommand_from list close help" -l tls-server-name -d 'Expect the server\'s certificate to be for this name, instead of the host of the address' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and not __fish_seen_subcommand_from list close help" -s o -l output -d 'How answers are printed' -r -f -a "table\t'Lines and columns for people'
json\t'One JSON document'
yaml\t'One YAML document'"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and not __fish_seen_subcommand_from list close help" -l color -d 'Whether to use colours; NO_COLOR in the environment means never' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and not __fish_seen_subcommand_from list close help" -l tls -d 'Use TLS, also where the address does not begin with https://'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and not __fish_seen_subcommand_from list close help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and not __fish_seen_subcommand_from list close help" -f -a "list" -d 'Print who is connected, as connections alone does'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and not __fish_seen_subcommand_from list close help" -f -a "close" -d 'Say goodbye to some: their requests under way are finished'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and not __fish_seen_subcommand_from list close help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and __fish_seen_subcommand_from list" -l profile -d 'Take the settings of this profile of the configuration file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and __fish_seen_subcommand_from list" -l config -d 'Read this configuration file; by default ~/.config/amaters/cli.toml, if it is there' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and __fish_seen_subcommand_from list" -s a -l address -d 'Where the server is: HOST:PORT, http://HOST:PORT, or https://HOST:PORT for TLS; by default 127.0.0.1:7878' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and __fish_seen_subcommand_from list" -s c -l collection -d 'The collection, by default "default"' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and __fish_seen_subcommand_from list" -l timeout -d 'Wait so long for an answer, by default 30 s; scans, exports and imports have no such bound' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and __fish_seen_subcommand_from list" -l metrics -d 'Where the server\'s metrics are, by default port 9090 of its host' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and __fish_seen_subcommand_from list" -l token -d 'Send this token (JWT). Others may see it in the list of processes: better use --token-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and __fish_seen_subcommand_from list" -l token-file -d 'Send the token that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and __fish_seen_subcommand_from list" -l api-key -d 'Send this API key. Others may see it in the list of processes: better use --api-key-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and __fish_seen_subcommand_from list" -l api-key-file -d 'Send the API key that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and __fish_seen_subcommand_from list" -l api-key-header -d 'Send the API key in this header, by default x-api-key' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and __fish_seen_subcommand_from list" -l tls-ca -d 'Trust the certificate authorities of this file (PEM) instead of those of the system' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and __fish_seen_subcommand_from list" -l tls-cert -d 'Show this client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and __fish_seen_subcommand_from list" -l tls-key -d 'The private key of the client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and __fish_seen_subcommand_from list" -l tls-server-name -d 'Expect the server\'s certificate to be for this name, instead of the host of the address' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and __fish_seen_subcommand_from list" -s o -l output -d 'How answers are printed' -r -f -a "table\t'Lines and columns for people'
json\t'One JSON document'
yaml\t'One YAML document'"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and __fish_seen_subcommand_from list" -l color -d 'Whether to use colours; NO_COLOR in the environment means never' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and __fish_seen_subcommand_from list" -l tls -d 'Use TLS, also where the address does not begin with https://'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and __fish_seen_subcommand_from close" -l from -d 'And all from this address' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and __fish_seen_subcommand_from close" -l profile -d 'Take the settings of this profile of the configuration file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and __fish_seen_subcommand_from close" -l config -d 'Read this configuration file; by default ~/.config/amaters/cli.toml, if it is there' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and __fish_seen_subcommand_from close" -s a -l address -d 'Where the server is: HOST:PORT, http://HOST:PORT, or https://HOST:PORT for TLS; by default 127.0.0.1:7878' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and __fish_seen_subcommand_from close" -s c -l collection -d 'The collection, by default "default"' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and __fish_seen_subcommand_from close" -l timeout -d 'Wait so long for an answer, by default 30 s; scans, exports and imports have no such bound' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and __fish_seen_subcommand_from close" -l metrics -d 'Where the server\'s metrics are, by default port 9090 of its host' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and __fish_seen_subcommand_from close" -l token -d 'Send this token (JWT). Others may see it in the list of processes: better use --token-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and __fish_seen_subcommand_from close" -l token-file -d 'Send the token that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and __fish_seen_subcommand_from close" -l api-key -d 'Send this API key. Others may see it in the list of processes: better use --api-key-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and __fish_seen_subcommand_from close" -l api-key-file -d 'Send the API key that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and __fish_seen_subcommand_from close" -l api-key-header -d 'Send the API key in this header, by default x-api-key' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and __fish_seen_subcommand_from close" -l tls-ca -d 'Trust the certificate authorities of this file (PEM) instead of those of the system' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and __fish_seen_subcommand_from close" -l tls-cert -d 'Show this client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and __fish_seen_subcommand_from close" -l tls-key -d 'The private key of the client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and __fish_seen_subcommand_from close" -l tls-server-name -d 'Expect the server\'s certificate to be for this name, instead of the host of the address' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and __fish_seen_subcommand_from close" -s o -l output -d 'How answers are printed' -r -f -a "table\t'Lines and columns for people'
json\t'One JSON document'
yaml\t'One YAML document'"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and __fish_seen_subcommand_from close" -l color -d 'Whether to use colours; NO_COLOR in the environment means never' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and __fish_seen_subcommand_from close" -l tls -d 'Use TLS, also where the address does not begin with https://'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and __fish_seen_subcommand_from close" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and __fish_seen_subcommand_from help" -f -a "list" -d 'Print who is connected, as connections alone does'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and __fish_seen_subcommand_from help" -f -a "close" -d 'Say goodbye to some: their requests under way are finished'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand connections; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand reload" -l profile -d 'Take the settings of this profile of the configuration file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand reload" -l config -d 'Read this configuration file; by default ~/.config/amaters/cli.toml, if it is there' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand reload" -s a -l address -d 'Where the server is: HOST:PORT, http://HOST:PORT, or https://HOST:PORT for TLS; by default 127.0.0.1:7878' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand reload" -s c -l collection -d 'The collection, by default "default"' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand reload" -l timeout -d 'Wait so long for an answer, by default 30 s; scans, exports and imports have no such bound' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand reload" -l metrics -d 'Where the server\'s metrics are, by default port 9090 of its host' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand reload" -l token -d 'Send this token (JWT). Others may see it in the list of processes: better use --token-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand reload" -l token-file -d 'Send the token that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand reload" -l api-key -d 'Send this API key. Others may see it in the list of processes: better use --api-key-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand reload" -l api-key-file -d 'Send the API key that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand reload" -l api-key-header -d 'Send the API key in this header, by default x-api-key' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand reload" -l tls-ca -d 'Trust the certificate authorities of this file (PEM) instead of those of the system' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand reload" -l tls-cert -d 'Show this client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand reload" -l tls-key -d 'The private key of the client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand reload" -l tls-server-name -d 'Expect the server\'s certificate to be for this name, instead of the host of the address' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand reload" -s o -l output -d 'How answers are printed' -r -f -a "table\t'Lines and columns for people'
json\t'One JSON document'
yaml\t'One YAML document'"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand reload" -l color -d 'Whether to use colours; NO_COLOR in the environment means never' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand reload" -l tls -d 'Use TLS, also where the address does not begin with https://'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand reload" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand drain" -l profile -d 'Take the settings of this profile of the configuration file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand drain" -l config -d 'Read this configuration file; by default ~/.config/amaters/cli.toml, if it is there' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand drain" -s a -l address -d 'Where the server is: HOST:PORT, http://HOST:PORT, or https://HOST:PORT for TLS; by default 127.0.0.1:7878' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand drain" -s c -l collection -d 'The collection, by default "default"' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand drain" -l timeout -d 'Wait so long for an answer, by default 30 s; scans, exports and imports have no such bound' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand drain" -l metrics -d 'Where the server\'s metrics are, by default port 9090 of its host' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand drain" -l token -d 'Send this token (JWT). Others may see it in the list of processes: better use --token-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand drain" -l token-file -d 'Send the token that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand drain" -l api-key -d 'Send this API key. Others may see it in the list of processes: better use --api-key-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand drain" -l api-key-file -d 'Send the API key that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand drain" -l api-key-header -d 'Send the API key in this header, by default x-api-key' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand drain" -l tls-ca -d 'Trust the certificate authorities of this file (PEM) instead of those of the system' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand drain" -l tls-cert -d 'Show this client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand drain" -l tls-key -d 'The private key of the client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand drain" -l tls-server-name -d 'Expect the server\'s certificate to be for this name, instead of the host of the address' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand drain" -s o -l output -d 'How answers are printed' -r -f -a "table\t'Lines and columns for people'
json\t'One JSON document'
yaml\t'One YAML document'"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand drain" -l color -d 'Whether to use colours; NO_COLOR in the environment means never' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand drain" -l tls -d 'Use TLS, also where the address does not begin with https://'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand drain" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and not __fish_seen_subcommand_from backup restore stats verify compact logs metrics cluster-info nodes help" -l profile -d 'Take the settings of this profile of the configuration file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and not __fish_seen_subcommand_from backup restore stats verify compact logs metrics cluster-info nodes help" -l config -d 'Read this configuration file; by default ~/.config/amaters/cli.toml, if it is there' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and not __fish_seen_subcommand_from backup restore stats verify compact logs metrics cluster-info nodes help" -s a -l address -d 'Where the server is: HOST:PORT, http://HOST:PORT, or https://HOST:PORT for TLS; by default 127.0.0.1:7878' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and not __fish_seen_subcommand_from backup restore stats verify compact logs metrics cluster-info nodes help" -s c -l collection -d 'The collection, by default "default"' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and not __fish_seen_subcommand_from backup restore stats verify compact logs metrics cluster-info nodes help" -l timeout -d 'Wait so long for an answer, by default 30 s; scans, exports and imports have no such bound' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and not __fish_seen_subcommand_from backup restore stats verify compact logs metrics cluster-info nodes help" -l metrics -d 'Where the server\'s metrics are, by default port 9090 of its host' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and not __fish_seen_subcommand_from backup restore stats verify compact logs metrics cluster-info nodes help" -l token -d 'Send this token (JWT). Others may see it in the list of processes: better use --token-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and not __fish_seen_subcommand_from backup restore stats verify compact logs metrics cluster-info nodes help" -l token-file -d 'Send the token that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and not __fish_seen_subcommand_from backup restore stats verify compact logs metrics cluster-info nodes help" -l api-key -d 'Send this API key. Others may see it in the list of processes: better use --api-key-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and not __fish_seen_subcommand_from backup restore stats verify compact logs metrics cluster-info nodes help" -l api-key-file -d 'Send the API key that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and not __fish_seen_subcommand_from backup restore stats verify compact logs metrics cluster-info nodes help" -l api-key-header -d 'Send the API key in this header, by default x-api-key' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and not __fish_seen_subcommand_from backup restore stats verify compact logs metrics cluster-info nodes help" -l tls-ca -d 'Trust the certificate authorities of this file (PEM) instead of those of the system' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and not __fish_seen_subcommand_from backup restore stats verify compact logs metrics cluster-info nodes help" -l tls-cert -d 'Show this client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and not __fish_seen_subcommand_from backup restore stats verify compact logs metrics cluster-info nodes help" -l tls-key -d 'The private key of the client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and not __fish_seen_subcommand_from backup restore stats verify compact logs metrics cluster-info nodes help" -l tls-server-name -d 'Expect the server\'s certificate to be for this name, instead of the host of the address' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and not __fish_seen_subcommand_from backup restore stats verify compact logs metrics cluster-info nodes help" -s o -l output -d 'How answers are printed' -r -f -a "table\t'Lines and columns for people'
json\t'One JSON document'
yaml\t'One YAML document'"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and not __fish_seen_subcommand_from backup restore stats verify compact logs metrics cluster-info nodes help" -l color -d 'Whether to use colours; NO_COLOR in the environment means never' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and not __fish_seen_subcommand_from backup restore stats verify compact logs metrics cluster-info nodes help" -l no-wait -d 'Print the first answer, also where the server says that the work still goes on'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and not __fish_seen_subcommand_from backup restore stats verify compact logs metrics cluster-info nodes help" -l tls -d 'Use TLS, also where the address does not begin with https://'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and not __fish_seen_subcommand_from backup restore stats verify compact logs metrics cluster-info nodes help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and not __fish_seen_subcommand_from backup restore stats verify compact logs metrics cluster-info nodes help" -f -a "backup" -d 'Take a backup into a folder on the server\'s machine'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and not __fish_seen_subcommand_from backup restore stats verify compact logs metrics cluster-info nodes help" -f -a "restore" -d 'Restore a backup from a folder on the server\'s machine'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and not __fish_seen_subcommand_from backup restore stats verify compact logs metrics cluster-info nodes help" -f -a "stats" -d 'Print what the server stores'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and not __fish_seen_subcommand_from backup restore stats verify compact logs metrics cluster-info nodes help" -f -a "verify" -d 'Have the server read all of its files and say what is damaged'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and not __fish_seen_subcommand_from backup restore stats verify compact logs metrics cluster-info nodes help" -f -a "compact" -d 'Have the server merge its tables: of a collection, or of all'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and not __fish_seen_subcommand_from backup restore stats verify compact logs metrics cluster-info nodes help" -f -a "logs" -d 'Print what the server did lately'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and not __fish_seen_subcommand_from backup restore stats verify compact logs metrics cluster-info nodes help" -f -a "metrics" -d 'Print rates and latencies'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and not __fish_seen_subcommand_from backup restore stats verify compact logs metrics cluster-info nodes help" -f -a "cluster-info" -d 'Print what the cluster is'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and not __fish_seen_subcommand_from backup restore stats verify compact logs metrics cluster-info nodes help" -f -a "nodes" -d 'Print the nodes of the cluster'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and not __fish_seen_subcommand_from backup restore stats verify compact logs metrics cluster-info nodes help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from backup" -l parent -d 'Of an incremental one: the backup before, instead of the newest beside DIR' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from backup" -l profile -d 'Take the settings of this profile of the configuration file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from backup" -l config -d 'Read this configuration file; by default ~/.config/amaters/cli.toml, if it is there' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from backup" -s a -l address -d 'Where the server is: HOST:PORT, http://HOST:PORT, or https://HOST:PORT for TLS; by default 127.0.0.1:7878' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from backup" -s c -l collection -d 'The collection, by default "default"' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from backup" -l timeout -d 'Wait so long for an answer, by default 30 s; scans, exports and imports have no such bound' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from backup" -l metrics -d 'Where the server\'s metrics are, by default port 9090 of its host' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from backup" -l token -d 'Send this token (JWT). Others may see it in the list of processes: better use --token-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from backup" -l token-file -d 'Send the token that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from backup" -l api-key -d 'Send this API key. Others may see it in the list of processes: better use --api-key-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from backup" -l api-key-file -d 'Send the API key that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from backup" -l api-key-header -d 'Send the API key in this header, by default x-api-key' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from backup" -l tls-ca -d 'Trust the certificate authorities of this file (PEM) instead of those of the system' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from backup" -l tls-cert -d 'Show this client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from backup" -l tls-key -d 'The private key of the client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from backup" -l tls-server-name -d 'Expect the server\'s certificate to be for this name, instead of the host of the address' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from backup" -s o -l output -d 'How answers are printed' -r -f -a "table\t'Lines and columns for people'
json\t'One JSON document'
yaml\t'One YAML document'"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from backup" -l color -d 'Whether to use colours; NO_COLOR in the environment means never' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from backup" -l incremental -d 'The same as incremental'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from backup" -l full -d 'The same as full, which it is by default'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from backup" -l tls -d 'Use TLS, also where the address does not begin with https://'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from backup" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from restore" -l profile -d 'Take the settings of this profile of the configuration file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from restore" -l config -d 'Read this configuration file; by default ~/.config/amaters/cli.toml, if it is there' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from restore" -s a -l address -d 'Where the server is: HOST:PORT, http://HOST:PORT, or https://HOST:PORT for TLS; by default 127.0.0.1:7878' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from restore" -s c -l collection -d 'The collection, by default "default"' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from restore" -l timeout -d 'Wait so long for an answer, by default 30 s; scans, exports and imports have no such bound' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from restore" -l metrics -d 'Where the server\'s metrics are, by default port 9090 of its host' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from restore" -l token -d 'Send this token (JWT). Others may see it in the list of processes: better use --token-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from restore" -l token-file -d 'Send the token that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from restore" -l api-key -d 'Send this API key. Others may see it in the list of processes: better use --api-key-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from restore" -l api-key-file -d 'Send the API key that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from restore" -l api-key-header -d 'Send the API key in this header, by default x-api-key' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from restore" -l tls-ca -d 'Trust the certificate authorities of this file (PEM) instead of those of the system' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from restore" -l tls-cert -d 'Show this client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from restore" -l tls-key -d 'The private key of the client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from restore" -l tls-server-name -d 'Expect the server\'s certificate to be for this name, instead of the host of the address' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from restore" -s o -l output -d 'How answers are printed' -r -f -a "table\t'Lines and columns for people'
json\t'One JSON document'
yaml\t'One YAML document'"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from restore" -l color -d 'Whether to use colours; NO_COLOR in the environment means never' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from restore" -l tls -d 'Use TLS, also where the address does not begin with https://'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from restore" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from stats" -l profile -d 'Take the settings of this profile of the configuration file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from stats" -l config -d 'Read this configuration file; by default ~/.config/amaters/cli.toml, if it is there' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from stats" -s a -l address -d 'Where the server is: HOST:PORT, http://HOST:PORT, or https://HOST:PORT for TLS; by default 127.0.0.1:7878' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from stats" -s c -l collection -d 'The collection, by default "default"' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from stats" -l timeout -d 'Wait so long for an answer, by default 30 s; scans, exports and imports have no such bound' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from stats" -l metrics -d 'Where the server\'s metrics are, by default port 9090 of its host' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from stats" -l token -d 'Send this token (JWT). Others may see it in the list of processes: better use --token-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from stats" -l token-file -d 'Send the token that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from stats" -l api-key -d 'Send this API key. Others may see it in the list of processes: better use --api-key-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from stats" -l api-key-file -d 'Send the API key that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from stats" -l api-key-header -d 'Send the API key in this header, by default x-api-key' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from stats" -l tls-ca -d 'Trust the certificate authorities of this file (PEM) instead of those of the system' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from stats" -l tls-cert -d 'Show this client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from stats" -l tls-key -d 'The private key of the client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from stats" -l tls-server-name -d 'Expect the server\'s certificate to be for this name, instead of the host of the address' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from stats" -s o -l output -d 'How answers are printed' -r -f -a "table\t'Lines and columns for people'
json\t'One JSON document'
yaml\t'One YAML document'"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from stats" -l color -d 'Whether to use colours; NO_COLOR in the environment means never' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from stats" -l tls -d 'Use TLS, also where the address does not begin with https://'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from stats" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from verify" -l profile -d 'Take the settings of this profile of the configuration file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from verify" -l config -d 'Read this configuration file; by default ~/.config/amaters/cli.toml, if it is there' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from verify" -s a -l address -d 'Where the server is: HOST:PORT, http://HOST:PORT, or https://HOST:PORT for TLS; by default 127.0.0.1:7878' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from verify" -s c -l collection -d 'The collection, by default "default"' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from verify" -l timeout -d 'Wait so long for an answer, by default 30 s; scans, exports and imports have no such bound' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from verify" -l metrics -d 'Where the server\'s metrics are, by default port 9090 of its host' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from verify" -l token -d 'Send this token (JWT). Others may see it in the list of processes: better use --token-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from verify" -l token-file -d 'Send the token that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from verify" -l api-key -d 'Send this API key. Others may see it in the list of processes: better use --api-key-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from verify" -l api-key-file -d 'Send the API key that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from verify" -l api-key-header -d 'Send the API key in this header, by default x-api-key' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from verify" -l tls-ca -d 'Trust the certificate authorities of this file (PEM) instead of those of the system' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from verify" -l tls-cert -d 'Show this client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from verify" -l tls-key -d 'The private key of the client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from verify" -l tls-server-name -d 'Expect the server\'s certificate to be for this name, instead of the host of the address' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from verify" -s o -l output -d 'How answers are printed' -r -f -a "table\t'Lines and columns for people'
json\t'One JSON document'
yaml\t'One YAML document'"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from verify" -l color -d 'Whether to use colours; NO_COLOR in the environment means never' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from verify" -l tls -d 'Use TLS, also where the address does not begin with https://'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from compact" -l profile -d 'Take the settings of this profile of the configuration file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from compact" -l config -d 'Read this configuration file; by default ~/.config/amaters/cli.toml, if it is there' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from compact" -s a -l address -d 'Where the server is: HOST:PORT, http://HOST:PORT, or https://HOST:PORT for TLS; by default 127.0.0.1:7878' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from compact" -s c -l collection -d 'The collection, by default "default"' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from compact" -l timeout -d 'Wait so long for an answer, by default 30 s; scans, exports and imports have no such bound' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from compact" -l metrics -d 'Where the server\'s metrics are, by default port 9090 of its host' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from compact" -l token -d 'Send this token (JWT). Others may see it in the list of processes: better use --token-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from compact" -l token-file -d 'Send the token that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from compact" -l api-key -d 'Send this API key. Others may see it in the list of processes: better use --api-key-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from compact" -l api-key-file -d 'Send the API key that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from compact" -l api-key-header -d 'Send the API key in this header, by default x-api-key' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from compact" -l tls-ca -d 'Trust the certificate authorities of this file (PEM) instead of those of the system' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from compact" -l tls-cert -d 'Show this client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from compact" -l tls-key -d 'The private key of the client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from compact" -l tls-server-name -d 'Expect the server\'s certificate to be for this name, instead of the host of the address' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from compact" -s o -l output -d 'How answers are printed' -r -f -a "table\t'Lines and columns for people'
json\t'One JSON document'
yaml\t'One YAML document'"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from compact" -l color -d 'Whether to use colours; NO_COLOR in the environment means never' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from compact" -l tls -d 'Use TLS, also where the address does not begin with https://'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from compact" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from logs" -l profile -d 'Take the settings of this profile of the configuration file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from logs" -l config -d 'Read this configuration file; by default ~/.config/amaters/cli.toml, if it is there' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from logs" -s a -l address -d 'Where the server is: HOST:PORT, http://HOST:PORT, or https://HOST:PORT for TLS; by default 127.0.0.1:7878' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from logs" -s c -l collection -d 'The collection, by default "default"' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from logs" -l timeout -d 'Wait so long for an answer, by default 30 s; scans, exports and imports have no such bound' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from logs" -l metrics -d 'Where the server\'s metrics are, by default port 9090 of its host' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from logs" -l token -d 'Send this token (JWT). Others may see it in the list of processes: better use --token-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from logs" -l token-file -d 'Send the token that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from logs" -l api-key -d 'Send this API key. Others may see it in the list of processes: better use --api-key-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from logs" -l api-key-file -d 'Send the API key that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from logs" -l api-key-header -d 'Send the API key in this header, by default x-api-key' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from logs" -l tls-ca -d 'Trust the certificate authorities of this file (PEM) instead of those of the system' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from logs" -l tls-cert -d 'Show this client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from logs" -l tls-key -d 'The private key of the client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from logs" -l tls-server-name -d 'Expect the server\'s certificate to be for this name, instead of the host of the address' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from logs" -s o -l output -d 'How answers are printed' -r -f -a "table\t'Lines and columns for people'
json\t'One JSON document'
yaml\t'One YAML document'"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from logs" -l color -d 'Whether to use colours; NO_COLOR in the environment means never' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from logs" -s f -l follow -d 'The same as true'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from logs" -l tls -d 'Use TLS, also where the address does not begin with https://'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from logs" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from metrics" -l profile -d 'Take the settings of this profile of the configuration file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from metrics" -l config -d 'Read this configuration file; by default ~/.config/amaters/cli.toml, if it is there' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from metrics" -s a -l address -d 'Where the server is: HOST:PORT, http://HOST:PORT, or https://HOST:PORT for TLS; by default 127.0.0.1:7878' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from metrics" -s c -l collection -d 'The collection, by default "default"' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from metrics" -l timeout -d 'Wait so long for an answer, by default 30 s; scans, exports and imports have no such bound' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from metrics" -l metrics -d 'Where the server\'s metrics are, by default port 9090 of its host' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from metrics" -l token -d 'Send this token (JWT). Others may see it in the list of processes: better use --token-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from metrics" -l token-file -d 'Send the token that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from metrics" -l api-key -d 'Send this API key. Others may see it in the list of processes: better use --api-key-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from metrics" -l api-key-file -d 'Send the API key that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from metrics" -l api-key-header -d 'Send the API key in this header, by default x-api-key' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from metrics" -l tls-ca -d 'Trust the certificate authorities of this file (PEM) instead of those of the system' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from metrics" -l tls-cert -d 'Show this client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from metrics" -l tls-key -d 'The private key of the client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from metrics" -l tls-server-name -d 'Expect the server\'s certificate to be for this name, instead of the host of the address' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from metrics" -s o -l output -d 'How answers are printed' -r -f -a "table\t'Lines and columns for people'
json\t'One JSON document'
yaml\t'One YAML document'"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from metrics" -l color -d 'Whether to use colours; NO_COLOR in the environment means never' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from metrics" -l tls -d 'Use TLS, also where the address does not begin with https://'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from metrics" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from cluster-info" -l profile -d 'Take the settings of this profile of the configuration file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from cluster-info" -l config -d 'Read this configuration file; by default ~/.config/amaters/cli.toml, if it is there' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from cluster-info" -s a -l address -d 'Where the server is: HOST:PORT, http://HOST:PORT, or https://HOST:PORT for TLS; by default 127.0.0.1:7878' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from cluster-info" -s c -l collection -d 'The collection, by default "default"' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from cluster-info" -l timeout -d 'Wait so long for an answer, by default 30 s; scans, exports and imports have no such bound' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from cluster-info" -l metrics -d 'Where the server\'s metrics are, by default port 9090 of its host' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from cluster-info" -l token -d 'Send this token (JWT). Others may see it in the list of processes: better use --token-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from cluster-info" -l token-file -d 'Send the token that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from cluster-info" -l api-key -d 'Send this API key. Others may see it in the list of processes: better use --api-key-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from cluster-info" -l api-key-file -d 'Send the API key that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from cluster-info" -l api-key-header -d 'Send the API key in this header, by default x-api-key' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from cluster-info" -l tls-ca -d 'Trust the certificate authorities of this file (PEM) instead of those of the system' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from cluster-info" -l tls-cert -d 'Show this client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from cluster-info" -l tls-key -d 'The private key of the client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from cluster-info" -l tls-server-name -d 'Expect the server\'s certificate to be for this name, instead of the host of the address' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from cluster-info" -s o -l output -d 'How answers are printed' -r -f -a "table\t'Lines and columns for people'
json\t'One JSON document'
yaml\t'One YAML document'"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from cluster-info" -l color -d 'Whether to use colours; NO_COLOR in the environment means never' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from cluster-info" -l tls -d 'Use TLS, also where the address does not begin with https://'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from cluster-info" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from nodes" -l profile -d 'Take the settings of this profile of the configuration file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from nodes" -l config -d 'Read this configuration file; by default ~/.config/amaters/cli.toml, if it is there' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from nodes" -s a -l address -d 'Where the server is: HOST:PORT, http://HOST:PORT, or https://HOST:PORT for TLS; by default 127.0.0.1:7878' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from nodes" -s c -l collection -d 'The collection, by default "default"' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from nodes" -l timeout -d 'Wait so long for an answer, by default 30 s; scans, exports and imports have no such bound' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from nodes" -l metrics -d 'Where the server\'s metrics are, by default port 9090 of its host' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from nodes" -l token -d 'Send this token (JWT). Others may see it in the list of processes: better use --token-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from nodes" -l token-file -d 'Send the token that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from nodes" -l api-key -d 'Send this API key. Others may see it in the list of processes: better use --api-key-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from nodes" -l api-key-file -d 'Send the API key that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from nodes" -l api-key-header -d 'Send the API key in this header, by default x-api-key' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from nodes" -l tls-ca -d 'Trust the certificate authorities of this file (PEM) instead of those of the system' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from nodes" -l tls-cert -d 'Show this client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from nodes" -l tls-key -d 'The private key of the client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from nodes" -l tls-server-name -d 'Expect the server\'s certificate to be for this name, instead of the host of the address' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from nodes" -s o -l output -d 'How answers are printed' -r -f -a "table\t'Lines and columns for people'
json\t'One JSON document'
yaml\t'One YAML document'"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from nodes" -l color -d 'Whether to use colours; NO_COLOR in the environment means never' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from nodes" -l tls -d 'Use TLS, also where the address does not begin with https://'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from nodes" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from help" -f -a "backup" -d 'Take a backup into a folder on the server\'s machine'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from help" -f -a "restore" -d 'Restore a backup from a folder on the server\'s machine'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from help" -f -a "stats" -d 'Print what the server stores'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from help" -f -a "verify" -d 'Have the server read all of its files and say what is damaged'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from help" -f -a "compact" -d 'Have the server merge its tables: of a collection, or of all'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from help" -f -a "logs" -d 'Print what the server did lately'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from help" -f -a "metrics" -d 'Print rates and latencies'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from help" -f -a "cluster-info" -d 'Print what the cluster is'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from help" -f -a "nodes" -d 'Print the nodes of the cluster'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand admin; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand logs" -s n -l lines -d 'So many lines, the newest' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand logs" -l profile -d 'Take the settings of this profile of the configuration file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand logs" -l config -d 'Read this configuration file; by default ~/.config/amaters/cli.toml, if it is there' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand logs" -s a -l address -d 'Where the server is: HOST:PORT, http://HOST:PORT, or https://HOST:PORT for TLS; by default 127.0.0.1:7878' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand logs" -s c -l collection -d 'The collection, by default "default"' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand logs" -l timeout -d 'Wait so long for an answer, by default 30 s; scans, exports and imports have no such bound' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand logs" -l metrics -d 'Where the server\'s metrics are, by default port 9090 of its host' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand logs" -l token -d 'Send this token (JWT). Others may see it in the list of processes: better use --token-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand logs" -l token-file -d 'Send the token that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand logs" -l api-key -d 'Send this API key. Others may see it in the list of processes: better use --api-key-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand logs" -l api-key-file -d 'Send the API key that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand logs" -l api-key-header -d 'Send the API key in this header, by default x-api-key' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand logs" -l tls-ca -d 'Trust the certificate authorities of this file (PEM) instead of those of the system' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand logs" -l tls-cert -d 'Show this client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand logs" -l tls-key -d 'The private key of the client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand logs" -l tls-server-name -d 'Expect the server\'s certificate to be for this name, instead of the host of the address' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand logs" -s o -l output -d 'How answers are printed' -r -f -a "table\t'Lines and columns for people'
json\t'One JSON document'
yaml\t'One YAML document'"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand logs" -l color -d 'Whether to use colours; NO_COLOR in the environment means never' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand logs" -s f -l follow -d 'Go on with what happens from now on, until Ctrl-C'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand logs" -l tls -d 'Use TLS, also where the address does not begin with https://'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand logs" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand stats" -l profile -d 'Take the settings of this profile of the configuration file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand stats" -l config -d 'Read this configuration file; by default ~/.config/amaters/cli.toml, if it is there' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand stats" -s a -l address -d 'Where the server is: HOST:PORT, http://HOST:PORT, or https://HOST:PORT for TLS; by default 127.0.0.1:7878' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand stats" -s c -l collection -d 'The collection, by default "default"' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand stats" -l timeout -d 'Wait so long for an answer, by default 30 s; scans, exports and imports have no such bound' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand stats" -l metrics -d 'Where the server\'s metrics are, by default port 9090 of its host' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand stats" -l token -d 'Send this token (JWT). Others may see it in the list of processes: better use --token-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand stats" -l token-file -d 'Send the token that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand stats" -l api-key -d 'Send this API key. Others may see it in the list of processes: better use --api-key-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand stats" -l api-key-file -d 'Send the API key that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand stats" -l api-key-header -d 'Send the API key in this header, by default x-api-key' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand stats" -l tls-ca -d 'Trust the certificate authorities of this file (PEM) instead of those of the system' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand stats" -l tls-cert -d 'Show this client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand stats" -l tls-key -d 'The private key of the client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand stats" -l tls-server-name -d 'Expect the server\'s certificate to be for this name, instead of the host of the address' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand stats" -s o -l output -d 'How answers are printed' -r -f -a "table\t'Lines and columns for people'
json\t'One JSON document'
yaml\t'One YAML document'"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand stats" -l color -d 'Whether to use colours; NO_COLOR in the environment means never' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand stats" -l tls -d 'Use TLS, also where the address does not begin with https://'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand stats" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand hot-keys" -s n -l limit -d 'So many keys' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand hot-keys" -l profile -d 'Take the settings of this profile of the configuration file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand hot-keys" -l config -d 'Read this configuration file; by default ~/.config/amaters/cli.toml, if it is there' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand hot-keys" -s a -l address -d 'Where the server is: HOST:PORT, http://HOST:PORT, or https://HOST:PORT for TLS; by default 127.0.0.1:7878' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand hot-keys" -s c -l collection -d 'The collection, by default "default"' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand hot-keys" -l timeout -d 'Wait so long for an answer, by default 30 s; scans, exports and imports have no such bound' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand hot-keys" -l metrics -d 'Where the server\'s metrics are, by default port 9090 of its host' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand hot-keys" -l token -d 'Send this token (JWT). Others may see it in the list of processes: better use --token-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand hot-keys" -l token-file -d 'Send the token that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand hot-keys" -l api-key -d 'Send this API key. Others may see it in the list of processes: better use --api-key-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand hot-keys" -l api-key-file -d 'Send the API key that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand hot-keys" -l api-key-header -d 'Send the API key in this header, by default x-api-key' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand hot-keys" -l tls-ca -d 'Trust the certificate authorities of this file (PEM) instead of those of the system' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand hot-keys" -l tls-cert -d 'Show this client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand hot-keys" -l tls-key -d 'The private key of the client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand hot-keys" -l tls-server-name -d 'Expect the server\'s certificate to be for this name, instead of the host of the address' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand hot-keys" -s o -l output -d 'How answers are printed' -r -f -a "table\t'Lines and columns for people'
json\t'One JSON document'
yaml\t'One YAML document'"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand hot-keys" -l color -d 'Whether to use colours; NO_COLOR in the environment means never' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand hot-keys" -l tls -d 'Use TLS, also where the address does not begin with https://'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand hot-keys" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand big-values" -s n -l limit -d 'So many values' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand big-values" -l profile -d 'Take the settings of this profile of the configuration file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand big-values" -l config -d 'Read this configuration file; by default ~/.config/amaters/cli.toml, if it is there' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand big-values" -s a -l address -d 'Where the server is: HOST:PORT, http://HOST:PORT, or https://HOST:PORT for TLS; by default 127.0.0.1:7878' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand big-values" -s c -l collection -d 'The collection, by default "default"' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand big-values" -l timeout -d 'Wait so long for an answer, by default 30 s; scans, exports and imports have no such bound' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand big-values" -l metrics -d 'Where the server\'s metrics are, by default port 9090 of its host' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand big-values" -l token -d 'Send this token (JWT). Others may see it in the list of processes: better use --token-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand big-values" -l token-file -d 'Send the token that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand big-values" -l api-key -d 'Send this API key. Others may see it in the list of processes: better use --api-key-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand big-values" -l api-key-file -d 'Send the API key that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand big-values" -l api-key-header -d 'Send the API key in this header, by default x-api-key' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand big-values" -l tls-ca -d 'Trust the certificate authorities of this file (PEM) instead of those of the system' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand big-values" -l tls-cert -d 'Show this client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand big-values" -l tls-key -d 'The private key of the client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand big-values" -l tls-server-name -d 'Expect the server\'s certificate to be for this name, instead of the host of the address' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand big-values" -s o -l output -d 'How answers are printed' -r -f -a "table\t'Lines and columns for people'
json\t'One JSON document'
yaml\t'One YAML document'"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand big-values" -l color -d 'Whether to use colours; NO_COLOR in the environment means never' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand big-values" -l tls -d 'Use TLS, also where the address does not begin with https://'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand big-values" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand health" -l profile -d 'Take the settings of this profile of the configuration file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand health" -l config -d 'Read this configuration file; by default ~/.config/amaters/cli.toml, if it is there' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand health" -s a -l address -d 'Where the server is: HOST:PORT, http://HOST:PORT, or https://HOST:PORT for TLS; by default 127.0.0.1:7878' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand health" -s c -l collection -d 'The collection, by default "default"' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand health" -l timeout -d 'Wait so long for an answer, by default 30 s; scans, exports and imports have no such bound' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand health" -l metrics -d 'Where the server\'s metrics are, by default port 9090 of its host' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand health" -l token -d 'Send this token (JWT). Others may see it in the list of processes: better use --token-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand health" -l token-file -d 'Send the token that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand health" -l api-key -d 'Send this API key. Others may see it in the list of processes: better use --api-key-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand health" -l api-key-file -d 'Send the API key that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand health" -l api-key-header -d 'Send the API key in this header, by default x-api-key' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand health" -l tls-ca -d 'Trust the certificate authorities of this file (PEM) instead of those of the system' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand health" -l tls-cert -d 'Show this client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand health" -l tls-key -d 'The private key of the client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand health" -l tls-server-name -d 'Expect the server\'s certificate to be for this name, instead of the host of the address' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand health" -s o -l output -d 'How answers are printed' -r -f -a "table\t'Lines and columns for people'
json\t'One JSON document'
yaml\t'One YAML document'"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand health" -l color -d 'Whether to use colours; NO_COLOR in the environment means never' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand health" -l tls -d 'Use TLS, also where the address does not begin with https://'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand health" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand info" -l profile -d 'Take the settings of this profile of the configuration file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand info" -l config -d 'Read this configuration file; by default ~/.config/amaters/cli.toml, if it is there' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand info" -s a -l address -d 'Where the server is: HOST:PORT, http://HOST:PORT, or https://HOST:PORT for TLS; by default 127.0.0.1:7878' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand info" -s c -l collection -d 'The collection, by default "default"' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand info" -l timeout -d 'Wait so long for an answer, by default 30 s; scans, exports and imports have no such bound' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand info" -l metrics -d 'Where the server\'s metrics are, by default port 9090 of its host' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand info" -l token -d 'Send this token (JWT). Others may see it in the list of processes: better use --token-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand info" -l token-file -d 'Send the token that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand info" -l api-key -d 'Send this API key. Others may see it in the list of processes: better use --api-key-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand info" -l api-key-file -d 'Send the API key that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand info" -l api-key-header -d 'Send the API key in this header, by default x-api-key' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand info" -l tls-ca -d 'Trust the certificate authorities of this file (PEM) instead of those of the system' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand info" -l tls-cert -d 'Show this client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand info" -l tls-key -d 'The private key of the client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand info" -l tls-server-name -d 'Expect the server\'s certificate to be for this name, instead of the host of the address' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand info" -s o -l output -d 'How answers are printed' -r -f -a "table\t'Lines and columns for people'
json\t'One JSON document'
yaml\t'One YAML document'"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand info" -l color -d 'Whether to use colours; NO_COLOR in the environment means never' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand info" -l tls -d 'Use TLS, also where the address does not begin with https://'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand info" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand ping" -s n -l count -d 'So many times' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand ping" -l profile -d 'Take the settings of this profile of the configuration file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand ping" -l config -d 'Read this configuration file; by default ~/.config/amaters/cli.toml, if it is there' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand ping" -s a -l address -d 'Where the server is: HOST:PORT, http://HOST:PORT, or https://HOST:PORT for TLS; by default 127.0.0.1:7878' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand ping" -s c -l collection -d 'The collection, by default "default"' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand ping" -l timeout -d 'Wait so long for an answer, by default 30 s; scans, exports and imports have no such bound' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand ping" -l metrics -d 'Where the server\'s metrics are, by default port 9090 of its host' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand ping" -l token -d 'Send this token (JWT). Others may see it in the list of processes: better use --token-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand ping" -l token-file -d 'Send the token that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand ping" -l api-key -d 'Send this API key. Others may see it in the list of processes: better use --api-key-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand ping" -l api-key-file -d 'Send the API key that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand ping" -l api-key-header -d 'Send the API key in this header, by default x-api-key' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand ping" -l tls-ca -d 'Trust the certificate authorities of this file (PEM) instead of those of the system' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand ping" -l tls-cert -d 'Show this client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand ping" -l tls-key -d 'The private key of the client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand ping" -l tls-server-name -d 'Expect the server\'s certificate to be for this name, instead of the host of the address' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand ping" -s o -l output -d 'How answers are printed' -r -f -a "table\t'Lines and columns for people'
json\t'One JSON document'
yaml\t'One YAML document'"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand ping" -l color -d 'Whether to use colours; NO_COLOR in the environment means never' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand ping" -l tls -d 'Use TLS, also where the address does not begin with https://'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand ping" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand top" -s i -l interval -d 'Look again after so many seconds' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand top" -s n -l count -d 'Show so many views, then end; by default it goes on until Ctrl-C' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand top" -l profile -d 'Take the settings of this profile of the configuration file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand top" -l config -d 'Read this configuration file; by default ~/.config/amaters/cli.toml, if it is there' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand top" -s a -l address -d 'Where the server is: HOST:PORT, http://HOST:PORT, or https://HOST:PORT for TLS; by default 127.0.0.1:7878' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand top" -s c -l collection -d 'The collection, by default "default"' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand top" -l timeout -d 'Wait so long for an answer, by default 30 s; scans, exports and imports have no such bound' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand top" -l metrics -d 'Where the server\'s metrics are, by default port 9090 of its host' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand top" -l token -d 'Send this token (JWT). Others may see it in the list of processes: better use --token-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand top" -l token-file -d 'Send the token that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand top" -l api-key -d 'Send this API key. Others may see it in the list of processes: better use --api-key-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand top" -l api-key-file -d 'Send the API key that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand top" -l api-key-header -d 'Send the API key in this header, by default x-api-key' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand top" -l tls-ca -d 'Trust the certificate authorities of this file (PEM) instead of those of the system' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand top" -l tls-cert -d 'Show this client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand top" -l tls-key -d 'The private key of the client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand top" -l tls-server-name -d 'Expect the server\'s certificate to be for this name, instead of the host of the address' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand top" -s o -l output -d 'How answers are printed' -r -f -a "table\t'Lines and columns for people'
json\t'One JSON document'
yaml\t'One YAML document'"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand top" -l color -d 'Whether to use colours; NO_COLOR in the environment means never' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand top" -l tls -d 'Use TLS, also where the address does not begin with https://'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand top" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand bench" -l reads -d 'Of a hundred requests, so many are gets; the others are sets' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand bench" -l keys -d 'Keys, which are bench:0000000000 and so on in the collection (by default "bench", not "default")' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand bench" -l value-bytes -d 'Bytes of a value' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand bench" -l distribution -d 'Which keys are asked for: all alike, or few of them most of the time (zipf, exponent 0.99)' -r -f -a "uniform\t''
zipf\t''"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand bench" -l connections -d 'Connections' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand bench" -l streams -d 'Requests under way at once on each connection' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand bench" -l rate -d 'Open loop: so many requests a second are due, and latency counts from then' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand bench" -l seconds -d 'Measure so long' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand bench" -l warmup -d 'Ask so long before anything is measured' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand bench" -l seed -d 'Choose keys by this number; the same gives the same keys' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand bench" -l profile -d 'Take the settings of this profile of the configuration file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand bench" -l config -d 'Read this configuration file; by default ~/.config/amaters/cli.toml, if it is there' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand bench" -s a -l address -d 'Where the server is: HOST:PORT, http://HOST:PORT, or https://HOST:PORT for TLS; by default 127.0.0.1:7878' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand bench" -s c -l collection -d 'The collection, by default "default"' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand bench" -l timeout -d 'Wait so long for an answer, by default 30 s; scans, exports and imports have no such bound' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand bench" -l metrics -d 'Where the server\'s metrics are, by default port 9090 of its host' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand bench" -l token -d 'Send this token (JWT). Others may see it in the list of processes: better use --token-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand bench" -l token-file -d 'Send the token that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand bench" -l api-key -d 'Send this API key. Others may see it in the list of processes: better use --api-key-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand bench" -l api-key-file -d 'Send the API key that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand bench" -l api-key-header -d 'Send the API key in this header, by default x-api-key' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand bench" -l tls-ca -d 'Trust the certificate authorities of this file (PEM) instead of those of the system' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand bench" -l tls-cert -d 'Show this client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand bench" -l tls-key -d 'The private key of the client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand bench" -l tls-server-name -d 'Expect the server\'s certificate to be for this name, instead of the host of the address' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand bench" -s o -l output -d 'How answers are printed' -r -f -a "table\t'Lines and columns for people'
json\t'One JSON document'
yaml\t'One YAML document'"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand bench" -l color -d 'Whether to use colours; NO_COLOR in the environment means never' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand bench" -l no-fill -d 'Do not set all keys first; gets of keys that are not there are counted as such'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand bench" -l clean -d 'Remove the keys at the end'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand bench" -l tls -d 'Use TLS, also where the address does not begin with https://'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand bench" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand shell" -l history -d 'Keep the history in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand shell" -l profile -d 'Take the settings of this profile of the configuration file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand shell" -l config -d 'Read this configuration file; by default ~/.config/amaters/cli.toml, if it is there' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand shell" -s a -l address -d 'Where the server is: HOST:PORT, http://HOST:PORT, or https://HOST:PORT for TLS; by default 127.0.0.1:7878' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand shell" -s c -l collection -d 'The collection, by default "default"' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand shell" -l timeout -d 'Wait so long for an answer, by default 30 s; scans, exports and imports have no such bound' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand shell" -l metrics -d 'Where the server\'s metrics are, by default port 9090 of its host' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand shell" -l token -d 'Send this token (JWT). Others may see it in the list of processes: better use --token-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand shell" -l token-file -d 'Send the token that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand shell" -l api-key -d 'Send this API key. Others may see it in the list of processes: better use --api-key-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand shell" -l api-key-file -d 'Send the API key that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand shell" -l api-key-header -d 'Send the API key in this header, by default x-api-key' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand shell" -l tls-ca -d 'Trust the certificate authorities of this file (PEM) instead of those of the system' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand shell" -l tls-cert -d 'Show this client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand shell" -l tls-key -d 'The private key of the client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand shell" -l tls-server-name -d 'Expect the server\'s certificate to be for this name, instead of the host of the address' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand shell" -s o -l output -d 'How answers are printed' -r -f -a "table\t'Lines and columns for people'
json\t'One JSON document'
yaml\t'One YAML document'"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand shell" -l color -d 'Whether to use colours; NO_COLOR in the environment means never' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand shell" -l no-history -d 'Keep no history; by default it is in cli.history, beside the file of profiles'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand shell" -l tls -d 'Use TLS, also where the address does not begin with https://'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand shell" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand completions" -l profile -d 'Take the settings of this profile of the configuration file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand completions" -l config -d 'Read this configuration file; by default ~/.config/amaters/cli.toml, if it is there' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand completions" -s a -l address -d 'Where the server is: HOST:PORT, http://HOST:PORT, or https://HOST:PORT for TLS; by default 127.0.0.1:7878' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand completions" -s c -l collection -d 'The collection, by default "default"' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand completions" -l timeout -d 'Wait so long for an answer, by default 30 s; scans, exports and imports have no such bound' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand completions" -l metrics -d 'Where the server\'s metrics are, by default port 9090 of its host' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand completions" -l token -d 'Send this token (JWT). Others may see it in the list of processes: better use --token-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand completions" -l token-file -d 'Send the token that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand completions" -l api-key -d 'Send this API key. Others may see it in the list of processes: better use --api-key-file' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand completions" -l api-key-file -d 'Send the API key that is in this file' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand completions" -l api-key-header -d 'Send the API key in this header, by default x-api-key' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand completions" -l tls-ca -d 'Trust the certificate authorities of this file (PEM) instead of those of the system' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand completions" -l tls-cert -d 'Show this client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand completions" -l tls-key -d 'The private key of the client certificate (PEM)' -r -F
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand completions" -l tls-server-name -d 'Expect the server\'s certificate to be for this name, instead of the host of the address' -r
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand completions" -s o -l output -d 'How answers are printed' -r -f -a "table\t'Lines and columns for people'
json\t'One JSON document'
yaml\t'One YAML document'"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand completions" -l color -d 'Whether to use colours; NO_COLOR in the environment means never' -r -f -a "auto\t'On a terminal'
always\t''
never\t''"
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand completions" -l tls -d 'Use TLS, also where the address does not begin with https://'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand help; and not __fish_seen_subcommand_from set get delete range scan filter update batch import export backup restore verify compact jobs connections reload drain admin logs stats hot-keys big-values health info ping top bench shell completions help" -f -a "set" -d 'Store a value'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand help; and not __fish_seen_subcommand_from set get delete range scan filter update batch import export backup restore verify compact jobs connections reload drain admin logs stats hot-keys big-values health info ping top bench shell completions help" -f -a "get" -d 'Print the value of a key; exit status 3 if it has none'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand help; and not __fish_seen_subcommand_from set get delete range scan filter update batch import export backup restore verify compact jobs connections reload drain admin logs stats hot-keys big-values health info ping top bench shell completions help" -f -a "delete" -d 'Remove keys; says how many had a value'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand help; and not __fish_seen_subcommand_from set get delete range scan filter update batch import export backup restore verify compact jobs connections reload drain admin logs stats hot-keys big-values health info ping top bench shell completions help" -f -a "range" -d 'Print the entries from one key up to another, which is not among them'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand help; and not __fish_seen_subcommand_from set get delete range scan filter update batch import export backup restore verify compact jobs connections reload drain admin logs stats hot-keys big-values health info ping top bench shell completions help" -f -a "scan" -d 'Print the entries of a collection, or those whose keys begin with a prefix'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand help; and not __fish_seen_subcommand_from set get delete range scan filter update batch import export backup restore verify compact jobs connections reload drain admin logs stats hot-keys big-values health info ping top bench shell completions help" -f -a "filter" -d 'Print the entries whose plain values match, as in: filter \'>= 18 and not = 99\''
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand help; and not __fish_seen_subcommand_from set get delete range scan filter update batch import export backup restore verify compact jobs connections reload drain admin logs stats hot-keys big-values health info ping top bench shell completions help" -f -a "update" -d 'Change the entries whose plain values match, as in: update \'>= 18\' \'add 1\''
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand help; and not __fish_seen_subcommand_from set get delete range scan filter update batch import export backup restore verify compact jobs connections reload drain admin logs stats hot-keys big-values health info ping top bench shell completions help" -f -a "batch" -d 'Do the queries of a file of JSON Lines in one step: all of them, or none'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand help; and not __fish_seen_subcommand_from set get delete range scan filter update batch import export backup restore verify compact jobs connections reload drain admin logs stats hot-keys big-values health info ping top bench shell completions help" -f -a "import" -d 'Store the entries of a file of JSON Lines'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand help; and not __fish_seen_subcommand_from set get delete range scan filter update batch import export backup restore verify compact jobs connections reload drain admin logs stats hot-keys big-values health info ping top bench shell completions help" -f -a "export" -d 'Write the entries of a collection as JSON Lines'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand help; and not __fish_seen_subcommand_from set get delete range scan filter update batch import export backup restore verify compact jobs connections reload drain admin logs stats hot-keys big-values health info ping top bench shell completions help" -f -a "backup" -d 'Have the server write a backup, and watch it; Ctrl-C cancels it'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand help; and not __fish_seen_subcommand_from set get delete range scan filter update batch import export backup restore verify compact jobs connections reload drain admin logs stats hot-keys big-values health info ping top bench shell completions help" -f -a "restore" -d 'Have the server read a backup, all of it or nothing, and watch it; Ctrl-C cancels it'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand help; and not __fish_seen_subcommand_from set get delete range scan filter update batch import export backup restore verify compact jobs connections reload drain admin logs stats hot-keys big-values health info ping top bench shell completions help" -f -a "verify" -d 'Have the server read every byte of a backup, or of its own files; exit status 1 if something is damaged'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand help; and not __fish_seen_subcommand_from set get delete range scan filter update batch import export backup restore verify compact jobs connections reload drain admin logs stats hot-keys big-values health info ping top bench shell completions help" -f -a "compact" -d 'Have the server flush its memory and merge its tables'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand help; and not __fish_seen_subcommand_from set get delete range scan filter update batch import export backup restore verify compact jobs connections reload drain admin logs stats hot-keys big-values health info ping top bench shell completions help" -f -a "jobs" -d 'Print, watch and cancel such long work'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand help; and not __fish_seen_subcommand_from set get delete range scan filter update batch import export backup restore verify compact jobs connections reload drain admin logs stats hot-keys big-values health info ping top bench shell completions help" -f -a "connections" -d 'Print who is connected to the server, and close connections'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand help; and not __fish_seen_subcommand_from set get delete range scan filter update batch import export backup restore verify compact jobs connections reload drain admin logs stats hot-keys big-values health info ping top bench shell completions help" -f -a "reload" -d 'Have the server read its configuration again'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand help; and not __fish_seen_subcommand_from set get delete range scan filter update batch import export backup restore verify compact jobs connections reload drain admin logs stats hot-keys big-values health info ping top bench shell completions help" -f -a "drain" -d 'Have the server finish its requests and end'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand help; and not __fish_seen_subcommand_from set get delete range scan filter update batch import export backup restore verify compact jobs connections reload drain admin logs stats hot-keys big-values health info ping top bench shell completions help" -f -a "admin" -d 'Send a command to the server as clients of AmateRS do: backup, restore, stats, verify, compact, logs, metrics, cluster-info, nodes'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand help; and not __fish_seen_subcommand_from set get delete range scan filter update batch import export backup restore verify compact jobs connections reload drain admin logs stats hot-keys big-values health info ping top bench shell completions help" -f -a "logs" -d 'Print what the server did lately: requests and warnings'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand help; and not __fish_seen_subcommand_from set get delete range scan filter update batch import export backup restore verify compact jobs connections reload drain admin logs stats hot-keys big-values health info ping top bench shell completions help" -f -a "stats" -d 'Print what the server stores'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand help; and not __fish_seen_subcommand_from set get delete range scan filter update batch import export backup restore verify compact jobs connections reload drain admin logs stats hot-keys big-values health info ping top bench shell completions help" -f -a "hot-keys" -d 'Print the keys that are asked for most, by samples of the last minute'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand help; and not __fish_seen_subcommand_from set get delete range scan filter update batch import export backup restore verify compact jobs connections reload drain admin logs stats hot-keys big-values health info ping top bench shell completions help" -f -a "big-values" -d 'Print the largest values that were read or written in the last minute'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand help; and not __fish_seen_subcommand_from set get delete range scan filter update batch import export backup restore verify compact jobs connections reload drain admin logs stats hot-keys big-values health info ping top bench shell completions help" -f -a "health" -d 'Ask whether the server serves; exit status 1 if it does not'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand help; and not __fish_seen_subcommand_from set get delete range scan filter update batch import export backup restore verify compact jobs connections reload drain admin logs stats hot-keys big-values health info ping top bench shell completions help" -f -a "info" -d 'Print the protocol version, the capabilities and the uptime of the server'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand help; and not __fish_seen_subcommand_from set get delete range scan filter update batch import export backup restore verify compact jobs connections reload drain admin logs stats hot-keys big-values health info ping top bench shell completions help" -f -a "ping" -d 'Measure how long the server takes to answer'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand help; and not __fish_seen_subcommand_from set get delete range scan filter update batch import export backup restore verify compact jobs connections reload drain admin logs stats hot-keys big-values health info ping top bench shell completions help" -f -a "top" -d 'Watch rates, latencies and shards of a server, by its metrics'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand help; and not __fish_seen_subcommand_from set get delete range scan filter update batch import export backup restore verify compact jobs connections reload drain admin logs stats hot-keys big-values health info ping top bench shell completions help" -f -a "bench" -d 'Measure requests a second and latencies'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand help; and not __fish_seen_subcommand_from set get delete range scan filter update batch import export backup restore verify compact jobs connections reload drain admin logs stats hot-keys big-values health info ping top bench shell completions help" -f -a "shell" -d 'Type commands, with history and completion'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand help; and not __fish_seen_subcommand_from set get delete range scan filter update batch import export backup restore verify compact jobs connections reload drain admin logs stats hot-keys big-values health info ping top bench shell completions help" -f -a "completions" -d 'Print the completions for a shell'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand help; and not __fish_seen_subcommand_from set get delete range scan filter update batch import export backup restore verify compact jobs connections reload drain admin logs stats hot-keys big-values health info ping top bench shell completions help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand help; and __fish_seen_subcommand_from jobs" -f -a "list" -d 'Print the jobs that wait, run, or have ended lately, as jobs alone does'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand help; and __fish_seen_subcommand_from jobs" -f -a "watch" -d 'Watch a job until it ends; Ctrl-C leaves it as it is'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand help; and __fish_seen_subcommand_from jobs" -f -a "cancel" -d 'End a job before its time'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand help; and __fish_seen_subcommand_from connections" -f -a "list" -d 'Print who is connected, as connections alone does'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand help; and __fish_seen_subcommand_from connections" -f -a "close" -d 'Say goodbye to some: their requests under way are finished'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand help; and __fish_seen_subcommand_from admin" -f -a "backup" -d 'Take a backup into a folder on the server\'s machine'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand help; and __fish_seen_subcommand_from admin" -f -a "restore" -d 'Restore a backup from a folder on the server\'s machine'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand help; and __fish_seen_subcommand_from admin" -f -a "stats" -d 'Print what the server stores'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand help; and __fish_seen_subcommand_from admin" -f -a "verify" -d 'Have the server read all of its files and say what is damaged'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand help; and __fish_seen_subcommand_from admin" -f -a "compact" -d 'Have the server merge its tables: of a collection, or of all'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand help; and __fish_seen_subcommand_from admin" -f -a "logs" -d 'Print what the server did lately'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand help; and __fish_seen_subcommand_from admin" -f -a "metrics" -d 'Print rates and latencies'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand help; and __fish_seen_subcommand_from admin" -f -a "cluster-info" -d 'Print what the cluster is'
complete -c amaters-cli -n "__fish_amaters_cli_using_subcommand help; and __fish_seen_subcommand_from admin" -f -a "nodes" -d 'Print the nodes of the cluster'
